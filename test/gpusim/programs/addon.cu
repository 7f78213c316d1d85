// A Node addon that uses CUDA as an addon does: fat binary in a library that is opened at run time, calls from the event loop, from libuv's
// workers and from worker threads, completion through a host function.
#include <cuda_runtime.h>
#include <node_api.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace {

// Reverses each block's part in 64 KB of shared memory, after `rounds` of work.
__global__ void reverse(float* x, int rounds) {
  extern __shared__ float tile[];
  float* mine = x + blockIdx.x * blockDim.x;
  for (int i = threadIdx.x; i < 16384; i += blockDim.x) tile[i] = 0;
  __syncthreads();
  tile[threadIdx.x * 16] = mine[threadIdx.x];
  for (int r = 0; r < rounds; ++r) tile[threadIdx.x * 16 + 1] += static_cast<float>(r & 1);
  __syncthreads();
  mine[threadIdx.x] = tile[(blockDim.x - 1 - threadIdx.x) * 16];
}
__global__ void out_of_bounds(float* x) { x[1 << 20] = 1; }

constexpr int kBlocks = 4, kThreads = 256, kFloats = kBlocks * kThreads, kShared = 65536;
constexpr size_t kBytes = kFloats * sizeof(float);

const char* check(cudaError_t error) { return error == cudaSuccess ? nullptr : cudaGetErrorName(error); }
#define TRY(call) \
  if (const char* name = check(call)) return std::string(#call ": ") + name

bool reversed(const float* x) {
  for (int b = 0; b < kBlocks; ++b)
    for (int i = 0; i < kThreads; ++i)
      if (x[b * kThreads + i] != static_cast<float>(b * kThreads + kThreads - 1 - i)) return false;
  return true;
}
void number(float* x) {
  for (int i = 0; i < kFloats; ++i) x[i] = static_cast<float>(i);
}

// One job with everything of its own, on the thread that calls. Returns what went wrong.
std::string job() {
  TRY(cudaFuncSetAttribute(reverse, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared));
  cudaStream_t stream;
  cudaEvent_t event;
  TRY(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  TRY(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  float *pinned, *device, *registered = static_cast<float*>(std::malloc(kBytes));
  TRY(cudaMallocHost(&pinned, kBytes));
  TRY(cudaHostRegister(registered, kBytes, cudaHostRegisterDefault));
  TRY(cudaMallocAsync(&device, kBytes, stream));
  number(pinned);
  TRY(cudaMemcpyAsync(device, pinned, kBytes, cudaMemcpyHostToDevice, stream));
  reverse<<<kBlocks, kThreads, kShared, stream>>>(device, 10);
  TRY(cudaMemcpyAsync(registered, device, kBytes, cudaMemcpyDeviceToHost, stream));
  TRY(cudaFreeAsync(device, stream));
  TRY(cudaEventRecord(event, stream));
  for (;;) {
    const cudaError_t state = cudaEventQuery(event);
    if (state == cudaErrorNotReady) continue;
    TRY(state);
    break;
  }
  if (!reversed(registered)) return "wrong results";
  TRY(cudaHostUnregister(registered));
  TRY(cudaFreeHost(pinned));
  TRY(cudaEventDestroy(event));
  TRY(cudaStreamDestroy(stream));
  std::free(registered);
  return "";
}

struct Pending {
  napi_deferred deferred;
  napi_async_work work = nullptr;
  napi_threadsafe_function settle = nullptr;
  std::string problem;
  cudaStream_t stream = nullptr;
  float *device = nullptr, *pinned = nullptr;
};

void settle(napi_env env, Pending* p) {
  napi_value text;
  napi_create_string_utf8(env, p->problem.c_str(), p->problem.size(), &text);
  napi_resolve_deferred(env, p->deferred, text);
}

napi_value name(napi_env env, const char* text) {
  napi_value value;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  return value;
}

// onWorker(): the job on a thread of libuv's pool.
napi_value on_worker(napi_env env, napi_callback_info) {
  auto* p = new Pending;
  napi_value promise;
  napi_create_promise(env, &p->deferred, &promise);
  napi_create_async_work(
      env, nullptr, name(env, "job"), [](napi_env, void* data) { static_cast<Pending*>(data)->problem = job(); },
      [](napi_env env, napi_status, void* data) {
        auto* p = static_cast<Pending*>(data);
        settle(env, p);
        napi_delete_async_work(env, p->work);
        delete p;
      },
      p, &p->work);
  napi_queue_async_work(env, p->work);
  return promise;
}

// onStream(rounds): everything is asked for on the event loop, a host function tells of the end.
napi_value on_stream(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, promise;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  int rounds = 0;
  napi_get_value_int32(env, argument, &rounds);
  auto* p = new Pending;
  napi_create_promise(env, &p->deferred, &promise);
  napi_create_threadsafe_function(
      env, nullptr, nullptr, name(env, "settle"), 0, 1, nullptr, nullptr, nullptr,
      [](napi_env env, napi_value, void*, void* data) {
        auto* p = static_cast<Pending*>(data);
        if (!env) return;
        if (!reversed(p->pinned)) p->problem = "wrong results";
        settle(env, p);
        napi_release_threadsafe_function(p->settle, napi_tsfn_release);
        cudaFreeHost(p->pinned);
        cudaStreamDestroy(p->stream);
        delete p;
      },
      &p->settle);
  cudaFuncSetAttribute(reverse, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  cudaStreamCreate(&p->stream);
  cudaMallocHost(&p->pinned, kBytes);
  cudaMallocAsync(&p->device, kBytes, p->stream);
  number(p->pinned);
  cudaMemcpyAsync(p->device, p->pinned, kBytes, cudaMemcpyHostToDevice, p->stream);
  reverse<<<kBlocks, kThreads, kShared, p->stream>>>(p->device, rounds);
  cudaMemcpyAsync(p->pinned, p->device, kBytes, cudaMemcpyDeviceToHost, p->stream);
  cudaFreeAsync(p->device, p->stream);
  cudaLaunchHostFunc(
      p->stream, [](void* data) { napi_call_threadsafe_function(static_cast<Pending*>(data)->settle, data, napi_tsfn_nonblocking); }, p);
  return promise;
}

// allocate(bytes): the error's name, and the memory is freed again.
napi_value allocate(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  int64_t bytes = 0;
  napi_get_value_int64(env, argument, &bytes);
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
  cudaFree(memory);
  cudaGetLastError();
  return name(env, cudaGetErrorName(error));
}

// fault(): a kernel that fails, the error that shows, and whether a reset device works.
napi_value fault(napi_env env, napi_callback_info) {
  float* x;
  cudaMalloc(&x, 64);
  out_of_bounds<<<1, 1>>>(x);
  const std::string error = cudaGetErrorName(cudaDeviceSynchronize());
  cudaGetLastError();
  cudaDeviceReset();
  const std::string after = job();
  return name(env, (error + (after.empty() ? ", then fine" : ", then " + after)).c_str());
}

// device(): "name, capability, bytes in all, bytes free, blocks of the kernel on a multiprocessor"
napi_value device(napi_env env, napi_callback_info) {
  cudaDeviceProp p;
  size_t available = 0, total = 0;
  int blocks = 0;
  cudaGetDeviceProperties(&p, 0);
  cudaMemGetInfo(&available, &total);
  cudaFuncSetAttribute(reverse, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, reverse, kThreads, kShared);
  const std::string text = std::string(p.name) + ", " + std::to_string(p.major) + "." + std::to_string(p.minor) + ", " +
                           std::to_string(p.totalGlobalMem) + ", " + std::to_string(available) + ", " + std::to_string(blocks);
  return name(env, text.c_str());
}

}  // namespace

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"onWorker", nullptr, on_worker, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"onStream", nullptr, on_stream, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"allocate", nullptr, allocate, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"fault", nullptr, fault, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"device", nullptr, device, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}

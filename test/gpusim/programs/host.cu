// The host's side: kinds of memory, streams and events, limits and attributes.
#include "harness.h"

__managed__ int managed_counter;
__device__ double device_sum;
__global__ void add_managed(const double* x, int n) {
  atomicAdd(&managed_counter, 1);
  for (int i = threadIdx.x; i < n; i += blockDim.x) atomicAdd(&device_sum, x[i]);
}
PROGRAM(managed_memory_and_variables) {
  double* x;
  CUDA(cudaMallocManaged(&x, 100 * sizeof(double)));
  for (int i = 0; i < 100; ++i) x[i] = i * 0.25;
  managed_counter = 5;
  const double zero = 0;
  CUDA(cudaMemcpyToSymbol(device_sum, &zero, 8));
  add_managed<<<1, 33>>>(x, 100);
  CUDA(cudaDeviceSynchronize());
  EXPECT(managed_counter == 38);
  double sum;
  CUDA(cudaMemcpyFromSymbol(&sum, device_sum, 8));
  EXPECT(sum == 4950 * 0.25);
  void* address;
  size_t bytes;
  CUDA(cudaGetSymbolAddress(&address, device_sum));
  CUDA(cudaGetSymbolSize(&bytes, device_sum));
  EXPECT(address && bytes == 8);
  CUDA(cudaFree(x));
}

__global__ void scale(float* x, int n, float by) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= by;
}
PROGRAM(streams_and_events) {
  const int n = 256;
  float *host, *device;
  CUDA(cudaMallocHost(&host, n * 4));
  CUDA(cudaMallocAsync(&device, n * 4, 0));
  for (int i = 0; i < n; ++i) host[i] = static_cast<float>(i);
  cudaStream_t one, two;
  CUDA(cudaStreamCreate(&one));
  CUDA(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
  cudaEvent_t start, half, end;
  CUDA(cudaEventCreate(&start));
  CUDA(cudaEventCreate(&half));
  CUDA(cudaEventCreate(&end));
  CUDA(cudaEventRecord(start, one));
  CUDA(cudaMemcpyAsync(device, host, n * 4, cudaMemcpyHostToDevice, one));
  scale<<<2, 128, 0, one>>>(device, n, 2);
  CUDA(cudaEventRecord(half, one));
  CUDA(cudaStreamWaitEvent(two, half, 0));
  scale<<<2, 128, 0, two>>>(device, n, 10);
  CUDA(cudaMemcpyAsync(host, device, n * 4, cudaMemcpyDeviceToHost, two));
  static int called = 0;
  CUDA(cudaLaunchHostFunc(two, [](void* p) { ++*static_cast<int*>(p); }, &called));
  CUDA(cudaEventRecord(end, two));
  CUDA(cudaStreamSynchronize(two));
  CUDA(cudaEventQuery(end));
  float ms = -1;
  CUDA(cudaEventElapsedTime(&ms, start, end));
  EXPECT(ms >= 0 && called == 1);
  for (int i = 0; i < n; ++i) EXPECT(host[i] == 20.0f * i);
  EXPECT(cudaStreamDestroy(one) == cudaSuccess && cudaStreamDestroy(two) == cudaSuccess);
  EXPECT(cudaStreamSynchronize(one) == cudaErrorInvalidResourceHandle && cudaGetLastError() == cudaErrorInvalidResourceHandle);
  CUDA(cudaFreeAsync(device, 0));
  CUDA(cudaFreeHost(host));
}

__global__ void stencil_2d(const float* in, size_t pitch, float* out, size_t out_pitch, int w, int h) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x == 0 || y == 0 || x >= w - 1 || y >= h - 1) return;
  const auto at = [&](int dx, int dy) {
    return *reinterpret_cast<const float*>(reinterpret_cast<const char*>(in) + (y + dy) * pitch + (x + dx) * 4);
  };
  *reinterpret_cast<float*>(reinterpret_cast<char*>(out) + y * out_pitch + x * 4) =
      at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1) - 4 * at(0, 0);
}
PROGRAM(pitched_memory) {
  const int w = 37, h = 21;
  std::vector<float> in(w * h), got(w * h);
  for (int i = 0; i < w * h; ++i) in[i] = static_cast<float>(i * i % 97);
  float *a, *b;
  size_t pa, pb;
  CUDA(cudaMallocPitch(&a, &pa, w * 4, h));
  CUDA(cudaMallocPitch(&b, &pb, w * 4, h));
  CUDA(cudaMemset2D(b, pb, 0, w * 4, h));
  CUDA(cudaMemcpy2D(a, pa, in.data(), w * 4, w * 4, h, cudaMemcpyHostToDevice));
  stencil_2d<<<dim3(2, 3), dim3(32, 8)>>>(a, pa, b, pb, w, h);
  CUDA(cudaMemcpy2D(got.data(), w * 4, b, pb, w * 4, h, cudaMemcpyDeviceToHost));
  for (int y = 1; y < h - 1; ++y)
    for (int x = 1; x < w - 1; ++x)
      EXPECT(got[y * w + x] == in[y * w + x - 1] + in[y * w + x + 1] + in[(y - 1) * w + x] + in[(y + 1) * w + x] - 4 * in[y * w + x]);
  CUDA(cudaFree(a));
  CUDA(cudaFree(b));
}

__global__ void __launch_bounds__(128) bounded(int* out) { out[threadIdx.x] = 1; }
__global__ void much_shared(int* out) {
  extern __shared__ int s[];
  s[threadIdx.x * 200] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = s[(blockDim.x - 1 - threadIdx.x) * 200];
}
PROGRAM(limits_and_attributes) {
  Device<int> out(1024);
  cudaDeviceProp p;
  CUDA(cudaGetDeviceProperties(&p, 0));
  EXPECT(p.warpSize == 32 && p.multiProcessorCount > 50 && p.major >= 8);
  bounded<<<1, 1025>>>(out.data);
  EXPECT(cudaGetLastError() == cudaErrorInvalidConfiguration && cudaGetLastError() == cudaSuccess);
  bounded<<<0, 32>>>(out.data);
  EXPECT(cudaGetLastError() == cudaErrorInvalidConfiguration);
  bounded<<<1, 256>>>(out.data);
  EXPECT(cudaGetLastError() == cudaErrorLaunchOutOfResources);
  much_shared<<<1, 80, 64000>>>(out.data);
  EXPECT(cudaGetLastError() == cudaErrorInvalidValue);
  CUDA(cudaFuncSetAttribute(much_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 64000));
  much_shared<<<1, 80, 64000>>>(out.data);
  CUDA(cudaDeviceSynchronize());
  EXPECT(out.host().size() == 1024);
  EXPECT(cudaFuncSetAttribute(much_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 20) == cudaErrorInvalidValue);
  cudaGetLastError();
  cudaFuncAttributes a;
  CUDA(cudaFuncGetAttributes(&a, bounded));
  EXPECT(a.maxThreadsPerBlock == 128 && a.numRegs > 0);
  int blocks = 0, grid = 0, block = 0;
  CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, bounded, 128, 0));
  EXPECT(blocks >= 8);
  CUDA(cudaOccupancyMaxPotentialBlockSize(&grid, &block, bounded));
  EXPECT(block == 128 && grid >= p.multiProcessorCount);
  size_t available, total;
  CUDA(cudaMemGetInfo(&available, &total));
  void* huge;
  EXPECT(cudaMalloc(&huge, total + 1) == cudaErrorMemoryAllocation && cudaGetLastError() == cudaErrorMemoryAllocation);
}

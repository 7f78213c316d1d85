// One planted bug each. `bugs name` runs one and prints the error that the program sees; the simulator must name the bug.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>

#include "fragments.h"

#define BUG(name) static void name([[maybe_unused]] int* data, [[maybe_unused]] int n)

__global__ void write_past_end(int* p, int n) { p[threadIdx.x] = n; }
BUG(out_of_bounds_store) { write_past_end<<<1, 129>>>(data, n); }

__global__ void read_far(int* p) { p[0] = p[100000 + threadIdx.x]; }
BUG(out_of_bounds_load) { read_far<<<1, 32>>>(data); }

__global__ void null_store(int* p) { *p = 1; }
BUG(null_pointer) { null_store<<<1, 1>>>(nullptr); }

__global__ void misaligned(char* p) { *reinterpret_cast<int*>(p + 2) = 5; }
BUG(misaligned_store) { misaligned<<<1, 1>>>(reinterpret_cast<char*>(data)); }

__global__ void misaligned_vector(float* p) { reinterpret_cast<float4*>(p + 1)[threadIdx.x] = make_float4(1, 2, 3, 4); }
BUG(misaligned_vector_store) { misaligned_vector<<<1, 4>>>(reinterpret_cast<float*>(data)); }

__global__ void shared_past_end(int* p) {
  extern __shared__ int s[];
  s[threadIdx.x] = 1;
  __syncthreads();
  p[threadIdx.x] = s[threadIdx.x];
}
BUG(shared_out_of_bounds) { shared_past_end<<<1, 64, 200>>>(data); }

__global__ void copy_kernel(const int* from, int* to) { to[threadIdx.x] = from[threadIdx.x]; }
BUG(uninitialised_global) {
  int* fresh;
  cudaMalloc(&fresh, 256);
  cudaMemset(fresh, 0, 100);
  copy_kernel<<<1, 64>>>(fresh, data);
}

__global__ void read_shared(int* p) {
  __shared__ int s[64];
  if (threadIdx.x != 9) s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  p[threadIdx.x] = s[63 - threadIdx.x];
}
BUG(uninitialised_shared) { read_shared<<<1, 64>>>(data); }

__global__ void missing_barrier(int* p) {
  __shared__ int s[128];
  s[threadIdx.x] = threadIdx.x;
  p[threadIdx.x % 64] = s[127 - threadIdx.x];
}
BUG(race_without_barrier) { missing_barrier<<<1, 128>>>(data); }

__global__ void missing_second_barrier(int* p) {
  __shared__ int s[128];
  int sum = 0;
  for (int round = 0; round < 3; ++round) {
    s[threadIdx.x] = threadIdx.x * round;
    __syncthreads();
    sum += s[(threadIdx.x + 64) % 128];
  }
  if (threadIdx.x < 64) p[threadIdx.x] = sum;
}
BUG(race_across_iterations) { missing_second_barrier<<<1, 128>>>(data); }

__global__ void warp_synchronous(int* p) {
  __shared__ int s[64];
  s[threadIdx.x] = threadIdx.x;
  __syncwarp();
  if (threadIdx.x < 16) s[threadIdx.x] += s[threadIdx.x + 16];
  if (threadIdx.x < 8) s[threadIdx.x] += s[threadIdx.x + 8];  // what another lane wrote, without __syncwarp
  if (threadIdx.x == 0) p[0] = s[0];
}
BUG(race_inside_a_warp) { warp_synchronous<<<1, 32>>>(data); }

__global__ void racing_writes(int* p) {
  __shared__ int s;
  s = threadIdx.x / 32;
  __syncthreads();
  p[0] = s;
}
BUG(race_of_writes) { racing_writes<<<1, 96>>>(data); }

__global__ void divergent(int* p) {
  if (threadIdx.x < 16) __syncthreads();
  p[threadIdx.x] = 1;
}
BUG(divergent_barrier) { divergent<<<1, 64>>>(data); }

__global__ void barrier_too_few(int* p) {
  if (threadIdx.x < 32) asm volatile("bar.sync 1, 64;" ::: "memory");
  p[threadIdx.x] = 1;
}
BUG(barrier_that_nobody_completes) { barrier_too_few<<<1, 64>>>(data); }

__global__ void shuffle_in_branch(int* p) {
  int v = threadIdx.x;
  if (threadIdx.x < 8) v = __shfl_down_sync(0xffffffff, v, 1);
  p[threadIdx.x] = v;
}
BUG(shuffle_of_absent_lanes) { shuffle_in_branch<<<1, 32>>>(data); }

__global__ void wrong_member_mask(int* p) { p[threadIdx.x] = __ballot_sync(0x0000ffff, threadIdx.x & 1); }
BUG(lane_not_in_its_mask) { wrong_member_mask<<<1, 32>>>(data); }

__global__ void async_without_wait(const int* in, int* p) {
  __shared__ __align__(16) int s[128];
  async_copy16(&s[threadIdx.x * 4], in + threadIdx.x * 4);
  async_commit();
  p[threadIdx.x] = s[threadIdx.x * 4];
}
BUG(async_copy_read_before_wait) { async_without_wait<<<1, 16>>>(data, data + 64); }

__global__ void async_wrong_group(const int* in, int* p) {
  __shared__ __align__(16) int s[2][64];
  async_copy16(&s[0][threadIdx.x * 4], in + threadIdx.x * 4);
  async_commit();
  async_copy16(&s[1][threadIdx.x * 4], in + threadIdx.x * 4);
  async_commit();
  async_wait<1>();
  __syncthreads();
  p[threadIdx.x] = s[1][threadIdx.x];  // the second group may still be under way
}
BUG(async_copy_of_a_later_group) { async_wrong_group<<<1, 16>>>(data, data + 64); }

__global__ void async_without_barrier(const int* in, int* p) {
  __shared__ __align__(16) int s[256];
  async_copy16(&s[threadIdx.x * 4], in + threadIdx.x % 16 * 4);
  async_commit();
  async_wait<0>();
  p[threadIdx.x] = s[(threadIdx.x * 4 + 128) % 256];  // copied by another warp
}
BUG(async_copy_without_barrier) { async_without_barrier<<<1, 64>>>(data, data); }

__global__ void sparse(uint32_t metadata, float* out) {
  const uint32_t a[4] = {}, b[4] = {};
  float c[4] = {};
  mma_sp_m16n8k32_f16<0>(c, a, b, threadIdx.x == 5 ? metadata : 0xeeeeeeee);
  out[threadIdx.x] = c[0];
}
BUG(illegal_sparse_metadata) { sparse<<<1, 32>>>(0xeeee5eee, reinterpret_cast<float*>(data)); }

__global__ void unordered_sparse(float* out) {
  const uint32_t a[4] = {}, b[4] = {};
  float c[4] = {};
  mma_sp_m16n8k32_f16<0>(c, a, b, 0x11111111);
  out[threadIdx.x] = c[0];
}
BUG(unordered_sparse_metadata) { unordered_sparse<<<1, 32>>>(reinterpret_cast<float*>(data)); }

__global__ void wrong_selector(float* out) {
  const uint32_t a[4] = {}, b[4] = {};
  float c[4] = {};
  mma_sp_m16n8k32_f16<2>(c, a, b, 0xeeeeeeee);
  out[threadIdx.x] = c[0];
}
BUG(illegal_sparse_selector) { wrong_selector<<<1, 32>>>(reinterpret_cast<float*>(data)); }

__global__ void mma_in_branch(float* out) {
  const uint32_t a[4] = {}, b[2] = {};
  float c[4] = {};
  if (threadIdx.x < 31) mma_m16n8k16_f16(c, a, b);
  out[threadIdx.x] = c[0];
}
BUG(mma_without_all_lanes) { mma_in_branch<<<1, 32>>>(reinterpret_cast<float*>(data)); }

BUG(use_after_free) {
  int* gone;
  cudaMalloc(&gone, 256);
  cudaMemset(gone, 0, 256);
  cudaFree(gone);
  copy_kernel<<<1, 32>>>(gone, data);
}
BUG(double_free) {
  int* twice;
  cudaMalloc(&twice, 256);
  cudaFree(twice);
  std::printf("free: %s\n", cudaGetErrorName(cudaFree(twice)));
}
BUG(copy_out_of_range) {
  char host[1024] = {};
  std::printf("copy: %s\n", cudaGetErrorName(cudaMemcpy(data, host, 513, cudaMemcpyHostToDevice)));
}
BUG(host_pointer_in_kernel) {
  static int on_host[64];
  copy_kernel<<<1, 32>>>(on_host, data);
}

__global__ void fails_assertion(int* p) {
  if (p[threadIdx.x] != 7) __trap();
}
BUG(trap) { fails_assertion<<<1, 32>>>(data); }

__device__ __noinline__ int deep(int n) {
  volatile int frame[500];
  frame[n % 500] = n;
  return n > 0 ? deep(n - 1) + frame[n % 500] : 0;
}
__global__ void deep_recursion(int* p) { p[0] = deep(100000); }
BUG(stack_overflow) { deep_recursion<<<1, 1>>>(data); }

__global__ void spin(volatile int* p) {
  while (p[0] == 0) {
  }
}
BUG(endless_loop) { spin<<<1, 32>>>(data); }

// Two streams, and work of the second that must come after that of the first.
struct Streams {
  Streams() {
    for (cudaStream_t& stream : all) cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaDeviceSynchronize();
  }
  cudaStream_t all[2];
};
BUG(streams_read_before_write) {
  const Streams s;
  write_past_end<<<1, 64, 0, s.all[0]>>>(data, n);
  copy_kernel<<<1, 32, 0, s.all[1]>>>(data, data + 64);
}
BUG(streams_write_before_read) {
  const Streams s;
  copy_kernel<<<1, 32, 0, s.all[0]>>>(data, data + 64);
  cudaMemsetAsync(data, 0, 64, s.all[1]);
}
BUG(streams_event_too_early) {
  const Streams s;
  cudaEvent_t event;
  cudaEventCreate(&event);
  cudaEventRecord(event, s.all[0]);
  write_past_end<<<1, 64, 0, s.all[0]>>>(data, n);
  cudaStreamWaitEvent(s.all[1], event);
  copy_kernel<<<1, 32, 0, s.all[1]>>>(data, data + 64);
}
BUG(streams_free_before_read) {
  const Streams s;
  int* other;
  cudaMallocAsync(&other, 512, s.all[1]);
  cudaMemsetAsync(other, 0, 512, s.all[1]);
  cudaStreamSynchronize(s.all[1]);
  copy_kernel<<<1, 32, 0, s.all[0]>>>(other, data);
  cudaFreeAsync(other, s.all[1]);
}
BUG(streams_use_before_allocation) {
  const Streams s;
  int* other;
  cudaMallocAsync(&other, 512, s.all[0]);
  cudaMemsetAsync(other, 0, 512, s.all[1]);
}

#define ROW(name) {#name, name}
static const struct {
  const char* name;
  void (*run)(int*, int);
} bugs[] = {ROW(out_of_bounds_store),
            ROW(out_of_bounds_load),
            ROW(null_pointer),
            ROW(misaligned_store),
            ROW(misaligned_vector_store),
            ROW(shared_out_of_bounds),
            ROW(uninitialised_global),
            ROW(uninitialised_shared),
            ROW(race_without_barrier),
            ROW(race_across_iterations),
            ROW(race_inside_a_warp),
            ROW(race_of_writes),
            ROW(divergent_barrier),
            ROW(barrier_that_nobody_completes),
            ROW(shuffle_of_absent_lanes),
            ROW(lane_not_in_its_mask),
            ROW(async_copy_read_before_wait),
            ROW(async_copy_of_a_later_group),
            ROW(async_copy_without_barrier),
            ROW(illegal_sparse_metadata),
            ROW(unordered_sparse_metadata),
            ROW(illegal_sparse_selector),
            ROW(mma_without_all_lanes),
            ROW(use_after_free),
            ROW(double_free),
            ROW(copy_out_of_range),
            ROW(host_pointer_in_kernel),
            ROW(trap),
            ROW(stack_overflow),
            ROW(endless_loop),
            ROW(streams_read_before_write),
            ROW(streams_write_before_read),
            ROW(streams_event_too_early),
            ROW(streams_free_before_read),
            ROW(streams_use_before_allocation)};

int main(int count, char** names) {
  for (const auto& bug : bugs) {
    if (count < 2 || std::strcmp(bug.name, names[1]) != 0) continue;
    int* data;
    cudaMalloc(&data, 512);
    cudaMemset(data, 0, 512);
    bug.run(data, 128);
    const cudaError_t launch = cudaGetLastError(), run = cudaDeviceSynchronize();
    std::printf("%s: %s\n", bug.name, cudaGetErrorName(launch != cudaSuccess ? launch : run));
    return 0;
  }
  for (const auto& bug : bugs) std::printf("%s\n", bug.name);
  return count < 2 ? 0 : 1;
}

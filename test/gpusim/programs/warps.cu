// Threads of a warp with each other: shuffles, votes, divergence, named barriers.
#include <algorithm>
#include <numeric>

#include "harness.h"

__global__ void warp_sum(const float* in, float* out) {
  float v = in[blockIdx.x * 32 + threadIdx.x];
  for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(0xffffffff, v, d);
  if (threadIdx.x == 0) out[blockIdx.x] = v;
}
PROGRAM(reduction_by_shuffles) {
  std::vector<float> in(320);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i % 17);
  Device<float> din(in), out(10);
  warp_sum<<<10, 32>>>(din.data, out.data);
  const auto sums = out.host();
  for (int b = 0; b < 10; ++b) EXPECT(sums[b] == std::accumulate(in.begin() + 32 * b, in.begin() + 32 * b + 32, 0.0f));
}

__global__ void compact(const int* in, int n, int* out, int* count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const bool keep = i < n && in[i] % 3 == 0;
  const unsigned mask = __ballot_sync(0xffffffff, keep);
  const int lane = threadIdx.x % 32;
  int base = 0;
  if (lane == 0) base = atomicAdd(count, __popc(mask));
  base = __shfl_sync(0xffffffff, base, 0);
  if (keep) out[base + __popc(mask & ((1u << lane) - 1))] = in[i];
}
PROGRAM(ballot_compaction) {
  const int n = 1000;
  std::vector<int> in(n), want;
  uint64_t seed = 5;
  for (int& v : in) {
    v = static_cast<int>(next_random(seed) % 10000);
    if (v % 3 == 0) want.push_back(v);
  }
  Device<int> din(in), out(n), count(std::vector<int>{0});
  compact<<<8, 128>>>(din.data, n, out.data, count.data);
  EXPECT(count.host()[0] == static_cast<int>(want.size()));
  std::vector<int> got(want.size());
  CUDA(cudaMemcpy(got.data(), out.data, want.size() * 4, cudaMemcpyDeviceToHost));
  std::sort(got.begin(), got.end());
  std::sort(want.begin(), want.end());
  EXPECT(got == want);
}

__global__ void warp_votes(int* out) {
  const int lane = threadIdx.x;
  const unsigned all = 0xffffffff;
  out[lane] = (__all_sync(all, lane < 32) << 0) | (__any_sync(all, lane == 7) << 1) | (__all_sync(all, lane != 7) << 2) |
              ((__match_any_sync(all, lane / 4) == 0xfu << lane / 4 * 4) << 3) | ((__reduce_add_sync(all, lane) == 496) << 4) |
              ((__reduce_max_sync(all, lane ^ 5) == 31) << 5) | ((__reduce_min_sync(all, -lane) == -31) << 6) |
              ((__reduce_xor_sync(all, 1u << lane) == all) << 7);
  int same;
  __match_all_sync(all, 3, &same);
  out[lane] |= same << 8;
  __match_all_sync(all, lane / 31, &same);
  out[lane] |= same << 9;
  if (lane < 8) out[lane] |= (__shfl_xor_sync(0xff, lane, 3) == (lane ^ 3)) << 10;
  __syncwarp();
}
PROGRAM(votes_and_matches) {
  Device<int> out(32);
  warp_votes<<<1, 32>>>(out.data);
  const auto got = out.host();
  for (int i = 0; i < 32; ++i) EXPECT(got[i] == (0b0111111011 & ~4 & ~512 | 0b11111000 | 1 | 2 | 256 | (i < 8 ? 1024 : 0)));
}

// Lanes of one warp wait for each other: works with independent thread scheduling only.
__global__ void lock_by_lanes(int* lock, int* counter) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      *reinterpret_cast<volatile int*>(counter) = *reinterpret_cast<volatile int*>(counter) + 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}
__global__ void handover(int* out) {
  __shared__ volatile int flag;
  __shared__ volatile int value;
  if (threadIdx.x == 0) flag = 0;
  __syncthreads();
  if (threadIdx.x == 5) {
    while (flag == 0) {
    }
    out[0] = value;
  } else if (threadIdx.x == 20) {
    value = 42;
    __threadfence_block();
    flag = 1;
  }
}
PROGRAM(independent_thread_scheduling) {
  Device<int> lock(std::vector<int>{0}), counter(std::vector<int>{0}), out(1);
  lock_by_lanes<<<4, 64>>>(lock.data, counter.data);
  EXPECT(counter.host()[0] == 256);
  handover<<<1, 32>>>(out.data);
  EXPECT(out.host()[0] == 42);
}

__global__ void named_barriers(int* out) {
  __shared__ int box[64];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (warp < 2) {  // warp 0 fills, warp 1 reads
    if (warp == 0) {
      box[lane] = lane * 3;
      asm volatile("barrier.cta.arrive.aligned 1, 64;" ::: "memory");
    } else {
      asm volatile("barrier.cta.sync.aligned 1, 64;" ::: "memory");
      out[lane] = box[31 - lane];
    }
  } else {
    box[32 + lane] = lane;
    asm volatile("bar.sync 2, 32;" ::: "memory");
    out[32 + lane] = box[32 + (lane + 1) % 32];
  }
  const int odd = __syncthreads_count(threadIdx.x & 1), all = __syncthreads_and(threadIdx.x < 96),
            any = __syncthreads_or(threadIdx.x == 500);
  if (threadIdx.x == 0) out[64] = odd * 100 + all * 10 + any;
}
PROGRAM(named_barriers_and_reductions) {
  Device<int> out(65);
  named_barriers<<<1, 96>>>(out.data);
  const auto got = out.host();
  for (int i = 0; i < 32; ++i) EXPECT(got[i] == (31 - i) * 3 && got[32 + i] == (i + 1) % 32);
  EXPECT(got[64] == 4810);
}

// Windows of tokens -> one row each, on a device.
//
//   load eight channels of a token -> add or compare -> store
//
// Floor: read every token once for each window that it is in. A thread has eight channels of one window, so that neighbours read what lies
// side by side, 16 bytes each (float32: 32).
#pragma once

#include "../../cuda/eights.h"
#include "kernel.h"

namespace sk {

// The tokens of a window, and where the first lies.
struct PoolWindow {
  const char* first;
  int64_t token_bytes;
  int64_t begin;
  int32_t count;
};
__device__ inline PoolWindow window_of(const PoolCudaRun& run, int64_t sequence, int64_t p) {
  const int64_t from = run.offsets ? run.offsets[p] : p * run.stride, to = run.offsets ? run.offsets[p + 1] : from + run.block;
  const int64_t begin = min(max(from, int64_t{0}), run.tokens), end = min(max(to, begin), run.tokens);
  const int64_t at = sequence / run.heads * run.batch_stride + sequence % run.heads * run.head_stride + begin * run.token_stride;
  return {static_cast<const char*>(run.x) + at * run.element_bytes, run.token_stride * run.element_bytes, begin,
          static_cast<int32_t>(end - begin)};
}

// Eight channels of a window: of which, and where they go.
struct PoolThread {
  bool idle;
  int64_t sequence, window, first;
  float* out;
};
__device__ inline PoolThread pool_thread(const PoolCudaRun& run) {
  const int64_t eights = (run.dim + 7) / 8, thread = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t row = thread / eights;
  return {row >= run.sequences * run.windows, row / run.windows, row % run.windows, thread % eights * 8, run.out + row * run.width};
}

__device__ inline void load_channels(const PoolCudaRun& run, const char* token, int64_t first, float (&x)[8]) {
#pragma unroll
  for (float& channel : x) channel = 0;
  add_eight_as(run.type, token, 0, first, run.dim, x);
}

__global__ void pool_sums(const __grid_constant__ PoolCudaRun run) {
  const PoolThread thread = pool_thread(run);
  if (thread.idle) return;
  const PoolWindow window = window_of(run, thread.sequence, thread.window);
  const float* logit = run.logit ? run.logit + thread.sequence * run.tokens + window.begin : nullptr;
  float most = -INFINITY;
  for (int t = 0; logit && t < window.count; ++t) most = fmaxf(most, logit[t]);
  float sum[8] = {}, total = 0;
  const char* token = window.first;
  for (int t = 0; t < window.count; ++t, token += window.token_bytes) {
    float x[8];
    load_channels(run, token, thread.first, x);
    const float weight = logit ? expf(logit[t] - most) : 1.0f;
    total += weight;
#pragma unroll
    for (int i = 0; i < 8; ++i) sum[i] += weight * x[i];
  }
  const float factor = window.count > 0 && (logit || run.mean) ? 1 / total : 1.0f;
#pragma unroll
  for (float& s : sum) s *= factor;
  store_eight(thread.out, thread.first, run.dim, sum);
}

__global__ void pool_extremes(const __grid_constant__ PoolCudaRun run) {
  const PoolThread thread = pool_thread(run);
  if (thread.idle) return;
  const PoolWindow window = window_of(run, thread.sequence, thread.window);
  float low[8] = {}, high[8] = {};
  if (window.count > 0) load_channels(run, window.first, thread.first, low);
#pragma unroll
  for (int i = 0; i < 8; ++i) high[i] = low[i];
  const char* token = window.first + window.token_bytes;
  for (int t = 1; t < window.count; ++t, token += window.token_bytes) {
    float x[8];
    load_channels(run, token, thread.first, x);
#pragma unroll
    for (int i = 0; i < 8; ++i) low[i] = fminf(low[i], x[i]), high[i] = fmaxf(high[i], x[i]);
  }
  if (run.least) store_eight(thread.out, thread.first, run.dim, low);
  if (run.greatest) store_eight(thread.out + (run.least ? run.dim : 0), thread.first, run.dim, high);
}

__device__ inline float warp_sum(float x) {
  for (int lane = 16; lane > 0; lane /= 2) x += __shfl_xor_sync(0xffffffffu, x, lane);
  return x;
}

// The squared norm of the mean of unit vectors. A warp has a window, a lane eight of 256 channels; longer tokens are read once more for
// each 256.
__global__ void pool_similarity(const __grid_constant__ PoolCudaRun run) {
  const int64_t row = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  if (row >= run.sequences * run.windows) return;
  const PoolWindow window = window_of(run, row / run.windows, row % run.windows);
  const int first = static_cast<int>(threadIdx.x) % 32 * 8;
  float result = 0;
  for (int64_t part = 0; part < run.dim; part += 256) {
    float mean[8] = {};
    const char* token = window.first;
    for (int t = 0; t < window.count; ++t, token += window.token_bytes) {
      float squares = 0, own[8] = {};
      for (int64_t c = 0; c < run.dim; c += 256) {
        float x[8];
        load_channels(run, token, c + first, x);
#pragma unroll
        for (int i = 0; i < 8; ++i) squares += x[i] * x[i], own[i] = c == part ? x[i] : own[i];
      }
      squares = warp_sum(squares);
      const float factor = squares > 0 ? 1 / sqrtf(squares) : 0.0f;
#pragma unroll
      for (int i = 0; i < 8; ++i) mean[i] += own[i] * factor;
    }
#pragma unroll
    for (float m : mean) result += m * m;
  }
  result = warp_sum(result);
  if (threadIdx.x % 32 == 0)
    run.out[row] = window.count > 0 ? result / (static_cast<float>(window.count) * static_cast<float>(window.count)) : 0;
}

}  // namespace sk

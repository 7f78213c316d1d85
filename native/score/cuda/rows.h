// What is made of rows of scores: their softmax, one row of the query heads of a group, sums over columns and diagonals.
#pragma once

#include "tile.h"

namespace sk {

constexpr int kRowThreads = 256;

// The sum or the greatest of a number of each thread of the block.
template <bool kGreatest>
__device__ inline float of_block(float x, float* warps) {
  const auto fold = [](float a, float b) { return kGreatest ? fmaxf(a, b) : a + b; };
  for (int lane = 16; lane > 0; lane /= 2) x = fold(x, __shfl_xor_sync(0xffffffffu, x, lane));
  __syncthreads();  // all have read the last numbers
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  x = warps[0];
  for (int w = 1; w < kRowThreads / 32; ++w) x = fold(x, warps[w]);
  return x;
}

// Grid: rows [sequences, queries] of out. 0 beyond the limit.
__global__ void __launch_bounds__(kRowThreads) softmax_rows(const __grid_constant__ ScoreCudaRun run) {
  __shared__ float warps[kRowThreads / 32];
  float* row = run.out + static_cast<int64_t>(blockIdx.x) * run.keys;
  const int limit = limit_of(run, static_cast<int32_t>(blockIdx.x % run.queries)), thread = static_cast<int>(threadIdx.x);
  float most = -INFINITY, sum = 0;
  for (int j = thread; j < limit; j += kRowThreads) most = fmaxf(most, row[j]);
  most = of_block<true>(most, warps);
  for (int j = thread; j < limit; j += kRowThreads) sum += expf(row[j] - most);
  const float factor = most == -INFINITY ? 0.0f : 1 / of_block<false>(sum, warps);
  for (int j = thread; j < run.keys; j += kRowThreads) row[j] = j < limit && factor > 0 ? expf(row[j] - most) * factor : 0.0f;
}

// A thread for each number of out [batches, kv_heads, queries, keys].
__global__ void reduce_groups(const __grid_constant__ ScoreCudaRun run, const float* scores) {
  const int64_t plane = static_cast<int64_t>(run.queries) * run.keys, at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= run.batches * run.kv_heads * plane) return;
  const float* from = scores + at / plane * run.group * plane + at % plane;
  float score = *from;
  for (int g = 1; g < run.group; ++g) score = run.greatest ? fmaxf(score, from[g * plane]) : score + from[g * plane];
  run.out[at] = score;
}

// A thread for each key and each distance: neighbours read neighbours. out is a softmax, 0 beyond the limit.
__global__ void sum_lines(const __grid_constant__ ScoreCudaRun run) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, sequence = at / run.keys, key = at % run.keys;
  if (sequence >= run.sequences) return;
  const float* row = run.out + sequence * run.queries * run.keys;
  float vertical = 0, slash = 0;
  for (int i = 0; i < run.queries; ++i, row += run.keys) {
    const int64_t before = run.keys - run.queries + i - key;  // as many positions before the query as `key` is distances
    vertical += row[key];
    slash += before >= 0 ? row[before] : 0.0f;
  }
  run.vertical[at] = vertical;
  run.slash[at] = slash;
}

}  // namespace sk

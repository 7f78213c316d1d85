// What merge.h promises, for one row a warp. The floor is memory: each result once and the merged one once. For each number that it reads
// a lane takes one exp2, of which a multiprocessor does 16 a cycle; memory brings less than 3.
#pragma once

#include <cuda_runtime.h>

#include "kernel.h"
#include "merge.h"

namespace sk {

constexpr int kMergeThreads = 128;

__global__ void __launch_bounds__(kMergeThreads) merge_states(const __grid_constant__ AttendMergeRun run) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * (kMergeThreads / 32) + threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  if (row >= run.rows) return;
  float top = -INFINITY, total = 0;
  for (int i = 0; i < run.count; ++i) top = fmaxf(top, run.lse[i][row]);
  const bool any = top != -INFINITY;
  const auto weight = [&](int i) { return exp2f((run.lse[i][row] - top) * kLog2E); };
  for (int i = 0; any && i < run.count; ++i) total += weight(i);
  const float scale = 1 / total;
  if (lane == 0) run.merged_lse[row] = any ? top + log2f(total) * kLn2 : -INFINITY;
  for (int64_t dim = lane; dim < run.head_dim; dim += 32) {
    float sum = 0;
    for (int i = 0; any && i < run.count; ++i) {
      const float share = weight(i) * scale;
      if (share != 0) sum += run.output[i][row * run.head_dim + dim] * share;  // what has no keys adds nothing, whatever it holds
    }
    run.merged[row * run.head_dim + dim] = sum;
  }
}

}  // namespace sk

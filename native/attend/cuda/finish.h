// From sums to output and log-sum-exp, and parts into one.
#pragma once

#include <cuda_runtime.h>

#include "kernel.h"

namespace sk {

constexpr float kLog2E = 1.44269504088896341f, kLn2 = 0.693147180559945309f;

// Writes lse (`writes`); returns where the output of a row goes and what its sums are multiplied by. max in units of log2, -infinity for a
// row without keys; sum of weights relative to 2^max.
__device__ inline float* finish_row(const AttendCudaRun& run, const AttendCudaTask& task, int row, float max, float sum, bool writes,
                                    float* factor) {
  const int head = task.head + row / task.queries, query = task.query + row % task.queries;
  const bool empty = max == -INFINITY;
  const float top = max + run.log_weight * kLog2E;
  float total = sum;
  if (writes)
    run.lse[(static_cast<int64_t>(task.batch) * run.heads + head) * run.queries + query] = empty ? -INFINITY : (top + log2f(sum)) * kLn2;
  if (run.sink && !empty) total += exp2f(run.sink[head] * kLog2E - top);
  *factor = empty ? 0.0f : 1 / total;
  return run.output + task.batch * run.q_batch + head * run.q_head + query * run.q_token;
}

// Grid: tasks; those without parts, and parts but the first, have nothing to do. A warp for each row.
__global__ void merge_parts(const __grid_constant__ AttendCudaRun run) {
  const AttendCudaTask& task = run.tasks[blockIdx.x];
  if (task.parts == 1 || task.part > 0) return;
  const int rows = task.heads * task.queries, lane = threadIdx.x % 32;
  for (int row = static_cast<int>(threadIdx.x) / 32; row < rows; row += static_cast<int>(blockDim.x) / 32) {
    const float *maxes = run.part_max + task.partial + row, *sums = run.part_sum + task.partial + row;
    float top = -INFINITY, sum = 0;
    for (int part = 0; part < task.parts; ++part) top = fmaxf(top, maxes[part * rows]);
    for (int part = 0; part < task.parts; ++part)
      if (maxes[part * rows] != -INFINITY) sum += sums[part * rows] * exp2f(maxes[part * rows] - top);
    float factor;
    float* to = finish_row(run, task, row, top, sum, lane == 0, &factor);
    for (int dim = lane; dim < run.head_dim; dim += 32) {
      float output = 0;
      for (int part = 0; part < task.parts; ++part)
        if (maxes[part * rows] != -INFINITY)
          output += run.part_output[(task.partial + part * rows + row) * run.head_dim + dim] * exp2f(maxes[part * rows] - top);
      to[dim] = output * factor;
    }
  }
}

}  // namespace sk

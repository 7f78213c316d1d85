// From sums to output and log-sum-exp, and parts into one.
#pragma once

#include <cuda_runtime.h>

#include "kernel.h"

namespace sk {

// Where the output of a row goes: sums * factor + initial * initial_factor.
struct RowEnd {
  float* to;
  const float* initial;  // null: none
  float factor, initial_factor;

  __device__ float output(int dim, float sum) const { return initial ? sum * factor + initial[dim] * initial_factor : sum * factor; }
};

// Weights of a row are relative to 2^reference, which is so much above its max: room for larger ones. Those below 2^-24 are 0 in float16.
constexpr float kMargin = 2;

// Writes lse and row_max (`writes`). reference: -infinity for a row without keys.
__device__ inline RowEnd finish_row(const AttendCudaRun& run, const AttendCudaTask& task, int row, float reference, float sum,
                                    bool writes) {
  const int head = task.head + row / task.queries, query = task.query + row % task.queries;
  const int64_t state = (static_cast<int64_t>(task.batch) * run.heads + head) * run.queries + query;
  const int64_t at = task.batch * run.q_batch + head * run.q_head + query * run.q_token;
  const float own = reference + run.log_weight * kLog2E;
  const float before = run.initial_lse ? run.initial_lse[state] * kLog2E : -INFINITY;
  const float top = fmaxf(own, before);  // weights are relative to it from here on
  if (writes && run.row_max) run.row_max[state] = (own - kMargin) * kLn2;
  RowEnd end = {run.output + at, nullptr, 0, 0};
  if (top == -INFINITY) {
    if (writes) run.lse[state] = -INFINITY;
    return end;
  }
  const float scale = exp2f(own - top), initial = exp2f(before - top);
  float total = sum * scale + initial;
  if (writes) run.lse[state] = (top + log2f(total)) * kLn2;
  if (run.sink) total += exp2f(run.sink[head] * kLog2E - top);
  end.factor = scale / total;
  if (initial > 0) end.initial = run.initial_output + at, end.initial_factor = initial / total;
  return end;
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
    const RowEnd end = finish_row(run, task, row, top, sum, lane == 0);
    for (int dim = lane; dim < run.head_dim; dim += 32) {
      float output = 0;
      for (int part = 0; part < task.parts; ++part)
        if (maxes[part * rows] != -INFINITY)
          output += run.part_output[(task.partial + part * rows + row) * run.head_dim + dim] * exp2f(maxes[part * rows] - top);
      end.to[dim] = end.output(dim, output);
    }
  }
}

}  // namespace sk

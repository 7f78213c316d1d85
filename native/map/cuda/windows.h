// A number for every output of a map, for pooling: where its maximum starts, or what its sum is multiplied by.
#pragma once

#include "../../cuda/map_view.h"
#include "grid.h"
#include "scan.h"

namespace sk {

// How many cells of the window of a site lie inside the grid of the input: a product over the axes.
__device__ inline int64_t cells_inside(const WindowsRun& run, int64_t row) {
  int32_t site[1 + kMaxAxes];
  load_site(run.coords, row, 1 + run.axes, site);
  int64_t cells = 1;
#pragma unroll
  for (int a = 0; a < kMaxAxes; ++a) {
    if (a >= run.axes) break;
    const WindowAxis& axis = run.axis[a];
    const int64_t start = site[1 + a] * int64_t{axis.stride} + axis.first, last = axis.extent - 1 - start;
    const int64_t low = start < 0 ? (-start + axis.dilation - 1) / axis.dilation : 0;
    const int64_t high = last < 0 ? -1 : min(int64_t{axis.cells} - 1, last / axis.dilation);
    cells *= max(high - low + 1, int64_t{0});
  }
  return cells;
}

// A thread has a position.
__global__ void __launch_bounds__(kMapBlock) window_numbers(const WindowsRun run) {
  const int64_t position = static_cast<int64_t>(blockIdx.x) * kMapBlock + threadIdx.x;
  if (position >= run.map.out_rows) return;
  const int64_t row = run.map.order[position];
  int64_t count = 0, inside = 0;
  for (int64_t group = 0; group < run.map.groups; ++group) count += run.map.rows[group * run.map.positions + position] >= 0;
  if (run.kind == WindowNumber::kLeastOfGrid || run.kind == WindowNumber::kPerCellInside) inside = cells_inside(run, row);
  float number;
  switch (run.kind) {
    case WindowNumber::kLeast:
    case WindowNumber::kLeastOfGrid: number = count == 0 || count < inside ? 0.0f : -INFINITY; break;
    case WindowNumber::kPerInput: number = 1.0f / static_cast<float>(max(count, int64_t{1})); break;
    case WindowNumber::kPerCellInside: number = 1.0f / static_cast<float>(inside); break;
    default: number = 1.0f / static_cast<float>(run.map.groups);
  }
  run.numbers[row] = number;
}

}  // namespace sk

// Magnitude pruning to N:M: load a weight -> compare with the others of its group -> store it or 0.
//
// Floor: read and write every weight once. A lane has a weight, so groups of any m up to 32 lie in a warp and their comparisons are
// shuffles; neighbours read what lies side by side.
#pragma once

#include <cuda_runtime.h>

#include "kernel.h"

namespace sk {

// A warp for each 32 columns of a row. Ties go to the lower index; NaN is smallest, as is what lies behind a row.
__global__ void mask_groups(const __grid_constant__ GroupsCudaRun run) {
  const int64_t warps = (run.columns + 31) / 32, warp = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  if (warp >= run.rows * warps) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t column = warp % warps * 32 + lane, at = warp / warps * run.columns + column;
  const bool there = column < run.columns;
  const float weight = there ? run.weight[at] : NAN;
  const int magnitude = weight == weight ? static_cast<int>(__float_as_uint(weight) & 0x7FFFFFFFu) : -1;
  int before = 0;
  for (int by = 1; by < run.m; ++by) {
    const int other = __shfl_xor_sync(0xffffffffu, magnitude, by);
    before += other > magnitude || (other == magnitude && (lane ^ by) < lane);
  }
  if (there) run.masked[at] = before < run.n ? weight : 0.0f;
}

}  // namespace sk

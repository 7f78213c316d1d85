// Which output sites there are: keys of the inputs -> keys of what they reach -> (sort) -> each once -> coordinates.
#pragma once

#include "grid.h"
#include "scan.h"

namespace sk {

// A thread has a row; the one past them the last key. Rows may be anything: the host hears of the first that is wrong.
__global__ void __launch_bounds__(kScanThreads) site_keys(const SiteKeysRun run) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row > run.rows) return;
  if (row == run.rows) {
    run.keys[row] = INT64_MAX;
    return;
  }
  const int width = 1 + run.grid.axes;
  int32_t site[1 + kMaxAxes], before[1 + kMaxAxes];
  load_site(run.coords, row, width, site);
  const uint64_t key = key_of(run.grid, site);
  bool ok = inside(run.grid, site);
  if (row > 0) {
    load_site(run.coords, row - 1, width, before);
    ok &= key > key_of(run.grid, before);
  }
  run.keys[row] = static_cast<int64_t>(key);
  if (!ok) atomicMax(run.bad, static_cast<unsigned long long>(run.rows - row));
}

// Blocks: of input rows, for each offset. What a block finds it writes in one piece, wherever: the keys are sorted next.
__global__ void __launch_bounds__(kScanThreads) reach_candidates(const CandidatesRun run) {
  __shared__ unsigned long long begin;
  const int64_t row_blocks = (run.in_rows + kScanThreads - 1) / kScanThreads;
  const int32_t* d = run.offsets.offsets + blockIdx.x / row_blocks * run.out_grid.axes;
  const int64_t row = blockIdx.x % row_blocks * kScanThreads + threadIdx.x;
  bool found = row < run.in_rows;
  uint64_t key = 0;
  if (found) {
    int32_t site[1 + kMaxAxes];
    load_site(run.in, row, 1 + run.out_grid.axes, site);
    key = static_cast<uint64_t>(site[0]) * static_cast<uint64_t>(run.out_grid.step[0]);
    found = site[0] >= 0 && site[0] < run.out_grid.extent[0];
#pragma unroll
    for (int a = 0; a < kMaxAxes; ++a) {
      if (a >= run.out_grid.axes || !found) break;
      const int64_t out = other_end(site[1 + a], run.offsets.stride[a], d[a], !run.offsets.transposed, run.out_grid.extent[1 + a]);
      found = out >= 0;
      key += static_cast<uint64_t>(out) * static_cast<uint64_t>(run.out_grid.step[1 + a]);
    }
  }
  int total;
  const int before = exclusive_sum(found, &total);
  if (threadIdx.x == 0 && total > 0) begin = atomicAdd(&run.findings->candidates, static_cast<unsigned long long>(total));
  __syncthreads();
  if (found) run.keys[begin + before] = key;
}

// Whether the block's thread has a key that differs from the one before it.
__device__ inline bool is_first(const UniqueRun& run, uint64_t* key) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kScanThreads + threadIdx.x;
  if (at >= static_cast<int64_t>(run.findings->candidates)) return false;
  *key = run.keys[at];
  return at == 0 || run.keys[at - 1] != *key;
}

__global__ void __launch_bounds__(kScanThreads) count_unique(const UniqueRun run) {
  uint64_t key;
  const int count = __syncthreads_count(is_first(run, &key));
  if (threadIdx.x == 0) run.counts[blockIdx.x] = count;
}

__global__ void __launch_bounds__(kScanThreads) keep_unique(const UniqueRun run) {
  uint64_t key = 0;
  const bool first = is_first(run, &key);
  int total;
  const int before = exclusive_sum(first, &total);
  if (first) run.unique[run.counts[blockIdx.x] + before] = key;
}

__global__ void __launch_bounds__(kScanThreads) key_coordinates(const uint64_t* keys, int64_t rows, const SiteGrid grid, int32_t* coords) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  uint64_t rest = keys[row];
  int32_t site[1 + kMaxAxes];
#pragma unroll
  for (int a = 0; a <= kMaxAxes; ++a) {
    if (a > grid.axes) break;
    const auto step = static_cast<uint64_t>(grid.step[a]);
    const uint64_t x = rest / step;
    site[a] = static_cast<int32_t>(x);
    rest -= x * step;
  }
  store_site(coords, row, 1 + grid.axes, site);
}

}  // namespace sk

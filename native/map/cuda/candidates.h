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

// Blocks: of input rows, for each run of offsets, which differ on the last axis only: found twice, first to count. What a block finds it
// writes in one piece, wherever: the keys are sorted next.
__global__ void __launch_bounds__(kScanThreads) reach_candidates(const CandidatesRun run) {
  __shared__ unsigned long long begin;
  const int axes = run.out_grid.axes;
  const bool transposed = run.offsets.transposed;
  const auto row_blocks = static_cast<uint32_t>((run.in_rows + kScanThreads - 1) / kScanThreads);
  const uint32_t offsets_run = blockIdx.x / row_blocks;
  const int first = run.offsets.starts[offsets_run], end = run.offsets.starts[offsets_run + 1];
  const int32_t* d = run.offsets.offsets + static_cast<int64_t>(first) * axes;
  const int64_t row = static_cast<int64_t>(blockIdx.x % row_blocks) * kScanThreads + threadIdx.x;
  int32_t site[1 + kMaxAxes] = {};
  if (row < run.in_rows) load_site(run.in, row, 1 + axes, site);
  bool there = row < run.in_rows && site[0] >= 0 && site[0] < run.out_grid.extent[0];
  uint64_t key = static_cast<uint64_t>(site[0]) * static_cast<uint64_t>(run.out_grid.step[0]);
  int32_t x = 0;  // on the last axis
  int64_t stride = 1, extent = 0;
#pragma unroll
  for (int a = 0; a < kMaxAxes; ++a) {
    if (a >= axes) break;
    x = site[1 + a], stride = run.offsets.stride[a], extent = run.out_grid.extent[1 + a];
    if (a == axes - 1) break;
    const int64_t out = other_end(x, stride, d[a], !transposed, extent);
    there &= out >= 0;
    key += static_cast<uint64_t>(out) * static_cast<uint64_t>(run.out_grid.step[1 + a]);
  }
  int count = 0, total;
  for (int i = first; i < end; ++i) count += there && other_end(x, stride, d[axes - 1] + (i - first), !transposed, extent) >= 0;
  const int before = exclusive_sum(count, &total);
  if (total == 0) return;
  if (threadIdx.x == 0) begin = atomicAdd(&run.findings->candidates, static_cast<unsigned long long>(total));
  __syncthreads();
  uint64_t* to = run.keys + begin + before;
  for (int i = first; count > 0 && i < end; ++i) {
    const int64_t out = other_end(x, stride, d[axes - 1] + (i - first), !transposed, extent);
    if (out >= 0) *to++ = key + static_cast<uint64_t>(out);  // the step of the last axis is 1
  }
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
  if (blockIdx.x * int64_t{kScanThreads} >= static_cast<int64_t>(run.findings->candidates)) return;
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

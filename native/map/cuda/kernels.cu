// The CUDA kernels of map, and how each is launched.
#include <cuda_runtime.h>

#include <algorithm>
#include <utility>

#include "../../core/memory.h"
#include "candidates.h"
#include "match.h"
#include "radix.h"
#include "windows.h"

namespace sk {
namespace {

cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

// Blocks of so many threads, a thread for each of `count`.
unsigned blocks_of(int64_t count, int threads) { return static_cast<unsigned>(ceil_div(count, threads)); }

}  // namespace

int launch_clear(void* to, size_t bytes, void* stream) { return cudaMemsetAsync(to, 0, bytes, as_stream(stream)); }

int launch_copy(void* to, const void* from, size_t bytes, void* stream) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, as_stream(stream));
}

int launch_site_keys(const SiteKeysRun& run, void* stream) {
  site_keys<<<blocks_of(run.rows + 1, kScanThreads), kScanThreads, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}

int launch_candidates(const CandidatesRun& run, void* stream) {
  const int64_t blocks = ceil_div(run.in_rows, kScanThreads) * run.offsets.runs;
  if (blocks > 0) reach_candidates<<<static_cast<unsigned>(blocks), kScanThreads, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}

int64_t unique_blocks(int64_t capacity) { return ceil_div(capacity, kScanThreads); }

int launch_unique(const UniqueRun& run, void* stream) {
  const unsigned blocks = blocks_of(run.capacity, kScanThreads);
  if (blocks == 0) return cudaSuccess;
  count_unique<<<blocks, kScanThreads, 0, as_stream(stream)>>>(run);
  scan_rows<<<1, kScanThreads, 0, as_stream(stream)>>>(run.counts, blocks, &run.findings->outputs);
  keep_unique<<<blocks, kScanThreads, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}

int launch_coordinates(const uint64_t* keys, int64_t rows, const SiteGrid& grid, int32_t* coords, void* stream) {
  if (rows > 0) key_coordinates<<<blocks_of(rows, kScanThreads), kScanThreads, 0, as_stream(stream)>>>(keys, rows, grid, coords);
  return cudaGetLastError();
}

int launch_match(const MatchRun& run, void* stream) {
  const int64_t blocks = run.positions / kMapBlock * run.offsets.runs;
  if (blocks > 0) match_sites<<<static_cast<unsigned>(blocks), kMapBlock, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}

int launch_swap(const int32_t* rows, const int32_t* order, int64_t groups, int64_t out_rows, int64_t positions, int32_t* to,
                int64_t to_positions, void* stream) {
  const size_t bytes = static_cast<size_t>(groups * to_positions) * sizeof(int32_t);
  if (bytes > 0)
    if (const int error = cudaMemsetAsync(to, 0xff, bytes, as_stream(stream)); error != cudaSuccess) return error;  // -1
  const int64_t blocks = positions / kMapBlock * groups;
  if (blocks > 0)
    swap_rows<<<static_cast<unsigned>(blocks), kMapBlock, 0, as_stream(stream)>>>(rows, order, out_rows, positions, to, to_positions);
  return cudaGetLastError();
}

int mask_bits(int64_t groups) { return static_cast<int>(std::min<int64_t>(groups, 64)); }

int launch_masks(const int32_t* natural, int64_t groups, int64_t out_rows, int64_t positions, uint64_t* masks, int32_t* order,
                 MapFindings* findings, void* stream) {
  const MasksRun run = {natural, groups, out_rows, positions, masks, order, findings, mask_bits(groups)};
  if (out_rows > 0) row_masks<<<blocks_of(out_rows, kScanThreads), kScanThreads, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}

int launch_arrange(const int32_t* natural, const int32_t* order, const uint64_t* masks, int64_t groups, int64_t out_rows, int64_t positions,
                   int32_t* rows, int32_t* counts, int32_t* active, void* stream) {
  const ArrangeRun run = {natural, order, masks, groups, out_rows, positions, rows, counts, active, mask_bits(groups)};
  if (positions > 0) arrange_rows<<<blocks_of(positions, kMapBlock), kMapBlock, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}

int launch_windows(const WindowsRun& run, void* stream) {
  if (run.map.positions > 0) window_numbers<<<blocks_of(run.map.positions, kMapBlock), kMapBlock, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}

int64_t sort_scratch(int64_t capacity) { return kDigits * (ceil_div(capacity, kSortTile) + 1); }

int launch_sort(SortRun* run, void* stream) {
  const unsigned blocks = blocks_of(run->capacity, kSortTile);
  if (blocks == 0) return cudaSuccess;
  int32_t* totals = run->scratch + static_cast<int64_t>(kDigits) * blocks;
  for (int shift = 0; shift < run->bits; shift += kDigitBits) {
    const PassRun pass = {run->keys,    run->other_keys, run->values, run->other_values, run->capacity, run->count,
                          run->scratch, totals,          shift};
    count_digits<<<blocks, kScanThreads, 0, as_stream(stream)>>>(pass);
    scan_rows<<<kDigits, kScanThreads, 0, as_stream(stream)>>>(run->scratch, blocks, totals);
    if (run->values)
      scatter_digits<true><<<blocks, kScanThreads, 0, as_stream(stream)>>>(pass);
    else
      scatter_digits<false><<<blocks, kScanThreads, 0, as_stream(stream)>>>(pass);
    std::swap(run->keys, run->other_keys);
    std::swap(run->values, run->other_values);
  }
  return cudaGetLastError();
}

}  // namespace sk

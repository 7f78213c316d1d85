// The k best of rows of any length, as ascending lists: cut -> list.
//
//   cut    the key of the k-th best by radix: count the values of a digit among the keys that are still in question, take the one where
//          the k-th lies, next digit; four digits of 8 bits
//   list   read the row once more, in order: what is better than the cut, and of its equals the first ones
//
// Floor: read the row once. It is read five times, but a row of up to some ten thousand scores stays in the first level of cache.
// A block of threads has a row. Equal digits of a warp are counted by one of its lanes: scores share their high bits.
#pragma once

#include <cuda_runtime.h>

#include "kernel.h"

namespace sk {

constexpr uint32_t kLeastKey = 0xFF800000u;  // of -infinity, which is never kept

// Unsigned integers in descending order of the scores; -0 and 0 are one.
__device__ inline uint32_t key_of(float x) {
  const uint32_t bits = __float_as_uint(x + 0.0f);
  return bits & 0x80000000u ? bits : ~bits & 0x7FFFFFFFu;
}

// Sums of all threads before each, and of all. Every thread of the block calls it.
__device__ inline int sum_before(int x, int* warps, int& all) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  int sum = x;
  for (int by = 1; by < 32; by *= 2) {
    const int below = __shfl_up_sync(0xffffffffu, sum, by);
    if (lane >= by) sum += below;
  }
  __syncthreads();  // all have read the sums of the last time
  if (lane == 31) warps[warp] = sum;
  __syncthreads();
  int before = 0;
  all = 0;
  for (int w = 0; w < kTopKThreads / 32; ++w) {
    before += w < warp ? warps[w] : 0;
    all += warps[w];
  }
  return before + sum - x;
}

// The columns [first, limit) of a row, of which [begin, end) are ranked and the others forced; `k` of the ranked ones stay.
struct RowSpan {
  int32_t first, begin, end, limit, k;
  bool fits;  // what is forced fits into the capacity
};
__device__ inline RowSpan span_of(const TopKCudaRun& run, int64_t row) {
  const auto columns = static_cast<int32_t>(run.columns);
  const int32_t limit = run.limit ? min(max(run.limit[row % run.limits], 0), columns) : columns;
  const int32_t first = min(run.first, limit), begin = first + min(run.sink, limit - first), end = limit - min(run.local, limit - begin);
  const bool whole = row % run.slice_rows + run.whole_rows >= run.slice_rows;
  const int32_t forced = begin - first + limit - end, k = whole ? columns : max(run.row_k ? run.row_k[row] : run.k, 0);
  return {first, begin, end, limit, max(min(k, run.capacity) - forced, 0), forced <= run.capacity};
}

// The k-th best key of a row's ranked columns, 1 <= k < their number, and how many of its equals stay.
__device__ inline uint32_t cut_row(const float* scores, const RowSpan& span, int* counts, int* warps, int* found, int& ties) {
  uint32_t prefix = 0, known = 0;
  int k = span.k;
  for (int shift = 24; shift >= 0; shift -= 8, known = known >> 8 | 0xFF000000u) {
    counts[threadIdx.x] = 0;
    __syncthreads();
    for (int base = span.begin; base < span.end; base += kTopKThreads) {
      const int column = base + static_cast<int>(threadIdx.x);
      const uint32_t key = column < span.end ? key_of(scores[column]) : 0;
      const bool counts_here = column < span.end && (key & known) == prefix;
      const int digit = counts_here ? static_cast<int>(key >> shift & 255) : -1;
      const unsigned equals = __match_any_sync(0xffffffffu, digit);
      if (counts_here && (equals & ((1u << threadIdx.x % 32) - 1)) == 0) atomicAdd(&counts[digit], __popc(equals));
    }
    __syncthreads();
    const int own = counts[threadIdx.x];
    int all;
    const int before = sum_before(own, warps, all);
    if (before < k && k <= before + own) found[0] = static_cast<int>(threadIdx.x), found[1] = k - before;
    __syncthreads();
    prefix |= static_cast<uint32_t>(found[0]) << shift;
    k = found[1];
  }
  ties = k;
  return prefix;
}

// Grid: rows.
__global__ void __launch_bounds__(kTopKThreads) top_k_lists(const __grid_constant__ TopKCudaRun run) {
  __shared__ int counts[kTopKThreads], warps[kTopKThreads / 32], found[2];
  const int64_t row = blockIdx.x;
  const float* scores = run.scores + row * run.columns;
  int32_t* index = run.index + row * run.capacity;
  const RowSpan span = span_of(run, row);
  const int thread = static_cast<int>(threadIdx.x);

  bool number = true;
  for (int column = span.begin + thread; column < span.end; column += kTopKThreads) number &= scores[column] == scores[column];
  const bool failed = __syncthreads_or(!number) || !span.fits;

  uint32_t cut = kLeastKey;
  int ties = 0, kept = 0;
  if (!failed) {
    if (span.k == 0) cut = 0;
    if (span.k > 0 && span.k < span.end - span.begin) cut = cut_row(scores, span, counts, warps, found, ties);
    if (cut >= kLeastKey) cut = kLeastKey, ties = 0;
    int equals_so_far = 0;
    for (int base = span.first; base < span.limit; base += kTopKThreads) {
      const int column = base + thread;
      const bool ranked = column >= span.begin && column < span.end;
      const uint32_t key = ranked ? key_of(scores[column]) : 0xFFFFFFFFu;
      int equals, chosen;
      const int equal = ranked && ties > 0 && key == cut, rank = equals_so_far + sum_before(equal, warps, equals);
      const int keep = column < span.limit && (!ranked || key < cut || (equal && rank < ties));
      const int at = kept + sum_before(keep, warps, chosen);
      if (keep) index[at] = column;
      equals_so_far += equals, kept += chosen;
    }
  }
  for (int at = kept + thread; at < run.capacity; at += kTopKThreads) index[at] = -1;
  if (thread == 0) run.count[row] = failed ? -1 : kept;
}

}  // namespace sk

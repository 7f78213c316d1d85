// Sums over the threads of a block: what sorting and compaction are made of.
#pragma once

#include <cstdint>

namespace sk {

constexpr int kScanThreads = 256, kScanWarps = kScanThreads / 32;

// The sum of x over the threads before this one, and over all of them. All threads of a block of kScanThreads; may be called again at once.
__device__ inline int exclusive_sum(int x, int* total) {
  __shared__ int of_warp[kScanWarps];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int sum = x;
  for (int step = 1; step < 32; step *= 2) {
    const int before = __shfl_up_sync(~0u, sum, step);
    if (lane >= step) sum += before;
  }
  __syncthreads();  // nobody reads the sums of a call before
  if (lane == 31) of_warp[warp] = sum;
  __syncthreads();
  int first = 0, all = 0;
#pragma unroll
  for (int w = 0; w < kScanWarps; ++w) {
    const int of = of_warp[w];
    if (w < warp) first += of;
    all += of;
  }
  *total = all;
  return first + sum - x;
}

// Every row of counts [gridDim.x][columns] becomes the sums before each of its entries; totals [gridDim.x].
template <class Total>
__global__ void __launch_bounds__(kScanThreads) scan_rows(int32_t* counts, int64_t columns, Total* totals) {
  int32_t* row = counts + blockIdx.x * columns;
  int carry = 0;
  for (int64_t first = 0; first < columns; first += kScanThreads) {
    const int64_t column = first + threadIdx.x;
    const int count = column < columns ? row[column] : 0;
    int total;
    const int before = exclusive_sum(count, &total);
    if (column < columns) row[column] = carry + before;
    carry += total;
  }
  if (threadIdx.x == 0) totals[blockIdx.x] = carry;
}

}  // namespace sk

// A radix sort of 64-bit keys, least significant digit first, 8 bits a pass: count digits -> sum the counts -> scatter.
//
// Floor of a pass: the keys (and values) are read twice and written once. A block puts its tile in order in shared memory first, so that
// what goes to one digit is written in one piece. How many keys there are may be known to the device only: blocks past them do nothing.
//
// A warp has 32 keys at a time that follow each other: lanes with the same digit find each other by __match_any_sync, so that ranks keep
// the order of equal digits and one lane counts for all of them.
#pragma once

#include "kernel.h"
#include "scan.h"

namespace sk {

constexpr int kDigits = 256, kDigitBits = 8, kRounds = 8, kSortTile = kScanThreads * kRounds;
static_assert(kDigits == kScanThreads, "a thread for each digit");

struct PassRun {
  const uint64_t* keys;
  uint64_t* to_keys;
  const int32_t* values;
  int32_t* to_values;
  int64_t capacity;
  const unsigned long long* count;
  int32_t *histogram, *totals;  // [kDigits][gridDim.x], [kDigits]
  int shift;
};

// Keys of the block's tile: fewer in the last one, none past it.
__device__ inline int tile_keys(const PassRun& run) {
  const int64_t all = run.count ? static_cast<int64_t>(*run.count) : run.capacity;
  return static_cast<int>(max(int64_t{0}, min(all - static_cast<int64_t>(blockIdx.x) * kSortTile, int64_t{kSortTile})));
}

// The digits of the tile in the order of its keys: a warp has 32 x kRounds that follow each other. Past the keys: the largest digit, which
// is then behind all others of it. visit(round, key, digit, lanes of the same digit).
template <class Visit>
__device__ inline void for_each_round(const PassRun& run, int keys, Visit&& visit) {
  const int lane = threadIdx.x % 32, first = threadIdx.x / 32 * 32 * kRounds;
  const uint64_t* tile = run.keys + static_cast<int64_t>(blockIdx.x) * kSortTile;
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int at = first + round * 32 + lane;
    const uint64_t key = at < keys ? tile[at] : ~uint64_t{0};
    const int digit = static_cast<int>(key >> run.shift) & (kDigits - 1);
    visit(round, key, digit, __match_any_sync(~0u, digit));
  }
}

__global__ void __launch_bounds__(kScanThreads) count_digits(const PassRun run) {
  __shared__ int counts[kDigits];
  counts[threadIdx.x] = 0;
  __syncthreads();
  const int keys = tile_keys(run), lane = threadIdx.x % 32;
  if (keys > 0) {
    for_each_round(run, keys, [&](int, uint64_t, int digit, unsigned peers) {
      if (__ffs(static_cast<int>(peers)) - 1 == lane) atomicAdd(&counts[digit], __popc(peers));
    });
  }
  __syncthreads();
  const int past = keys > 0 && threadIdx.x == kDigits - 1 ? kSortTile - keys : 0;
  run.histogram[static_cast<int64_t>(threadIdx.x) * gridDim.x + blockIdx.x] = counts[threadIdx.x] - past;
}

template <bool kValues>
__global__ void __launch_bounds__(kScanThreads) scatter_digits(const PassRun run) {
  __shared__ uint64_t sorted[kSortTile];
  __shared__ int32_t sorted_values[kValues ? kSortTile : 1];
  __shared__ int places[kScanWarps][kDigits], shift_to[kDigits];
  const int keys = tile_keys(run), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (keys == 0) return;
#pragma unroll
  for (int w = 0; w < kScanWarps; ++w) places[w][threadIdx.x] = 0;
  __syncthreads();

  uint64_t key[kRounds];
  int rank[kRounds];
  for_each_round(run, keys, [&](int round, uint64_t k, int digit, unsigned peers) {
    key[round] = k;
    const int before = places[warp][digit];
    rank[round] = before + __popc(peers & ((1u << lane) - 1));
    __syncwarp();
    if (__ffs(static_cast<int>(peers)) - 1 == lane) places[warp][digit] = before + __popc(peers);
    __syncwarp();
  });
  __syncthreads();

  // From here a thread stands for a digit: where the keys of each warp with it begin in the tile, and how far the tile is from the result.
  const int digit = threadIdx.x;
  int of_tile = 0, all;
#pragma unroll
  for (int w = 0; w < kScanWarps; ++w) {
    const int of_warp = places[w][digit];
    places[w][digit] = of_tile;
    of_tile += of_warp;
  }
  const int in_tile = exclusive_sum(of_tile, &all), in_result = exclusive_sum(run.totals[digit], &all);
#pragma unroll
  for (int w = 0; w < kScanWarps; ++w) places[w][digit] += in_tile;
  shift_to[digit] = in_result + run.histogram[static_cast<int64_t>(digit) * gridDim.x + blockIdx.x] - in_tile;
  __syncthreads();

  const int64_t tile = static_cast<int64_t>(blockIdx.x) * kSortTile;
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int place = places[warp][static_cast<int>(key[round] >> run.shift) & (kDigits - 1)] + rank[round];
    sorted[place] = key[round];
    const int at = warp * 32 * kRounds + round * 32 + lane;
    if (kValues && at < keys) sorted_values[place] = run.values[tile + at];
  }
  __syncthreads();
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const int place = round * kScanThreads + threadIdx.x;
    if (place >= keys) break;
    const int to = place + shift_to[static_cast<int>(sorted[place] >> run.shift) & (kDigits - 1)];
    run.to_keys[to] = sorted[place];
    if (kValues) run.to_values[to] = sorted_values[place];
  }
}

}  // namespace sk

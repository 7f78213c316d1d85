// Which inputs an output meets: for each offset one search among the sorted keys of the inputs. Then rows of the same offsets together.
#pragma once

#include "../../cuda/map_view.h"
#include "grid.h"
#include "scan.h"

namespace sk {

// The first of keys [0, rows] that is not less than `key`; the last one never is. All threads take the same steps, without a branch.
__device__ inline uint32_t lower_bound(const int64_t* keys, uint32_t rows, int64_t key) {
  uint32_t at = 0;
  for (uint32_t step = rows ? 1u << (31 - __clz(static_cast<int>(rows))) : 0; step > 0; step /= 2) {
    const uint32_t next = at + step;
    at = keys[min(next - 1, rows)] < key ? next : at;
  }
  return at;
}

// Blocks: of output rows, for each run of offsets. One search serves a run: keys of neighbours on the last axis follow each other.
__global__ void __launch_bounds__(kMapBlock) match_sites(const MatchRun run) {
  const int axes = run.in_grid.axes;
  const auto row_blocks = static_cast<uint32_t>(run.positions / kMapBlock);
  const uint32_t offsets_run = blockIdx.x / row_blocks;
  const int64_t row = static_cast<int64_t>(blockIdx.x % row_blocks) * kMapBlock + threadIdx.x;
  const int first = run.offsets.starts[offsets_run], end = run.offsets.starts[offsets_run + 1];
  const int32_t* d = run.offsets.offsets + static_cast<int64_t>(first) * axes;
  int32_t site[1 + kMaxAxes] = {};
  if (row < run.out_rows) load_site(run.out, row, 1 + axes, site);
  bool there = row < run.out_rows && site[0] >= 0 && site[0] < run.in_grid.extent[0];
  int64_t key = site[0] * run.in_grid.step[0], low = 0, extent = 0;  // `low`: on the last axis, of the first offset
#pragma unroll
  for (int a = 0; a < kMaxAxes; ++a) {
    if (a >= axes) break;
    if (a == axes - 1 && !run.offsets.transposed) {
      low = site[1 + a] * run.offsets.stride[a] + d[a];
      extent = run.in_grid.extent[1 + a];
    } else {
      const int64_t in = other_end(site[1 + a], run.offsets.stride[a], d[a], run.offsets.transposed, run.in_grid.extent[1 + a]);
      there &= in >= 0;
      key += in * run.in_grid.step[1 + a];
      extent = 1;
    }
  }
  uint32_t at = there ? lower_bound(run.in_keys, static_cast<uint32_t>(run.in_rows), key + max(low, int64_t{0})) : 0;
  for (int i = first; i < end; ++i, ++low) {
    const bool meets = there && low >= 0 && low < extent && run.in_keys[at] == key + low;
    run.natural[run.offsets.group[i] * run.positions + row] = meets ? static_cast<int32_t>(at) : -1;
    at += meets;
  }
}

// A thread has a position under a group.
__global__ void __launch_bounds__(kMapBlock)
    swap_rows(const int32_t* rows, const int32_t* order, int64_t out_rows, int64_t positions, int32_t* to, int64_t to_positions) {
  const auto blocks = static_cast<uint32_t>(positions / kMapBlock);
  const int64_t group = blockIdx.x / blocks, position = static_cast<int64_t>(blockIdx.x % blocks) * kMapBlock + threadIdx.x;
  if (position >= out_rows) return;
  const int32_t in = rows[group * positions + position];
  if (in >= 0) to[group * to_positions + in] = order[position];
}

struct MasksRun {
  const int32_t* natural;
  int64_t groups, out_rows, positions;
  uint64_t* masks;
  int32_t* order;
  MapFindings* findings;
  int bits;
};

// The bit of a group in a mask. Of many groups neighbours share one.
__device__ inline int mask_bit(int64_t group, int64_t groups, int bits) {
  return static_cast<int>(groups == bits ? group : group * bits / groups);
}

__global__ void __launch_bounds__(kScanThreads) row_masks(const MasksRun run) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kScanThreads + threadIdx.x;
  int pairs = 0;
  if (row < run.out_rows) {
    uint64_t mask = 0;
    for (int64_t group = 0; group < run.groups; ++group) {
      const bool meets = run.natural[group * run.positions + row] >= 0;
      mask |= static_cast<uint64_t>(meets) << mask_bit(group, run.groups, run.bits);
      pairs += meets;
    }
    run.masks[row] = (~uint64_t{0} >> (64 - run.bits)) ^ mask;
    run.order[row] = static_cast<int32_t>(row);
  }
  int total;
  exclusive_sum(pairs, &total);
  if (threadIdx.x == 0 && total > 0) atomicAdd(&run.findings->pairs, static_cast<unsigned long long>(total));
}

struct ArrangeRun {
  const int32_t *natural, *order;
  const uint64_t* masks;  // of the positions
  int64_t groups, out_rows, positions;
  int32_t *rows, *counts, *active;
  int bits;
};

// A block of threads has a block of positions, whose rows lie anywhere: only those that a mask may name are looked up.
__global__ void __launch_bounds__(kMapBlock) arrange_rows(const ArrangeRun run) {
  const int64_t position = static_cast<int64_t>(blockIdx.x) * kMapBlock + threadIdx.x;
  const bool there = position < run.out_rows;
  const int64_t row = there ? run.order[position] : 0;
  const uint64_t mask = there ? ~run.masks[position] : 0;
  int count = 0;
  for (int64_t group = 0; group < run.groups; ++group) {
    const int32_t in = mask >> mask_bit(group, run.groups, run.bits) & 1 ? run.natural[group * run.positions + row] : -1;
    run.rows[group * run.positions + position] = in;
    if (__syncthreads_or(in >= 0)) {
      if (threadIdx.x == 0) run.active[blockIdx.x * run.groups + count] = static_cast<int32_t>(group);
      ++count;
    }
  }
  if (threadIdx.x == 0) run.counts[blockIdx.x] = count;
}

}  // namespace sk

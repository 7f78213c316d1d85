// One row of lists from lines: a walk along its diagonals, the farthest first, so that ranges of keys come in ascending order.
#pragma once

#include <cuda_runtime.h>

#include "vertical_slash.h"

namespace sk {

class LineRow {
 public:
  __device__ LineRow(const CudaLineLists& lists, int64_t row) : index_(lists.index + row * lists.capacity), capacity_(lists.capacity) {}
  __device__ void push(int64_t id) {
    if (count_ < capacity_) index_[count_++] = static_cast<int32_t>(id);
  }
  __device__ int32_t count() const { return count_; }

 private:
  int32_t* index_;
  int32_t capacity_, count_ = 0;
};

// A thread has a row; those of a warp mostly belong to one sequence, and read its lines together.
__global__ void line_rows(const __grid_constant__ VerticalSlashCudaRun run) {
  const int64_t blocks = (run.queries + run.block_queries - 1) / run.block_queries;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, sequence = row / blocks;
  if (sequence >= run.sequences) return;
  const int32_t *verticals = run.vertical.index + sequence * run.vertical.capacity,
                *slashes = run.slash.index + sequence * run.slash.capacity;
  const int32_t vertical_count = min(run.vertical.count[sequence], run.vertical.capacity);
  const int32_t slash_count = min(run.slash.count[sequence], run.slash.capacity);
  if (vertical_count < 0 || slash_count < 0) {
    run.tiles.count[row] = run.columns.count[row] = -1;
    return;
  }
  const int64_t first = row % blocks * run.block_queries, shift = int64_t{run.keys} - run.queries;
  const int64_t from = first + shift, to = min(first + run.block_queries, int64_t{run.queries}) - 1 + shift;
  LineRow tiles(run.tiles, row), columns(run.columns, row);
  int64_t covered = 0;  // all keys below are listed or will not be
  int vertical = 0;
  const auto columns_below = [&](int64_t limit) {
    for (; vertical < vertical_count && verticals[vertical] < limit; ++vertical)
      if (verticals[vertical] >= covered) columns.push(verticals[vertical]);
  };
  for (int s = slash_count - 1; s >= 0; --s) {
    const int64_t offset = slashes[s];
    const int64_t begin = max(max(from - offset, int64_t{0}), covered), end = min(to - offset + 1, int64_t{run.keys});
    if (begin >= end) continue;
    columns_below(begin);
    for (covered = begin; covered < end; covered += run.block_keys) tiles.push(covered);
  }
  columns_below(to + 1);
  run.tiles.count[row] = tiles.count();
  run.columns.count[row] = columns.count();
}

}  // namespace sk

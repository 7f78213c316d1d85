// The loop nest of sparse_mma.h where all rows of a block use the same columns: x is transposed, and a k tile is made of those of its rows
// that the block names. Operand B is then k x n as it lies, which ldmatrix transposes.
//
// In shared memory 16 bytes of a column, eight tokens, are a chunk; the columns of a chunk lie one after the other, so that eight of them,
// which ldmatrix reads at a time, are 128 bytes in a row. A thread copies chunks of one column, as its neighbours do; chunks are as much
// further apart as lets those that eight threads copy fall into different banks.
#pragma once

#include "sparse_mma.h"

namespace sk {

template <class Base, int kColumns_>  // 64 or 32 columns of a tile
struct GatheredShape : Base {
  static constexpr int kColumns = kColumns_, kChunks = Base::kTokens / 8, kThreadsOfColumn = Base::kThreads / kColumns;
  static constexpr int kChunkBytes = (kColumns + 8 / kThreadsOfColumn) * 16;
  static constexpr int kStageBytes = Base::kXAt + kChunks * kChunkBytes;
  static constexpr int kSharedBytes = std::max(Base::kStages * kStageBytes, Base::kSumBytes);
};

// What one thread copies of each k tile. Which column it needs is loaded a tile ahead.
template <class Shape>
class GatheringLoader {
  static constexpr int kWeightChunks = Shape::kTileBytes / 16, kOfColumn = Shape::kThreadsOfColumn;

 public:
  __device__ GatheringLoader(const SpmmCudaProduct& p, int64_t first_token, uint32_t first, uint32_t end)
      : weight_(static_cast<const char*>(p.tiles) + static_cast<int64_t>(first) * Shape::kTileBytes + threadIdx.x * 16),
        x_(static_cast<const char*>(p.x) + first_token * 2 + threadIdx.x % kOfColumn * 16),
        x_pitch_(static_cast<uint32_t>(p.x_pitch)),
        columns_(p.columns + static_cast<int64_t>(first) * Shape::kColumns + threadIdx.x / kOfColumn),
        left_(static_cast<int>(end - first)),
        x_to_(Shape::kXAt + threadIdx.x % kOfColumn * Shape::kChunkBytes + threadIdx.x / kOfColumn * 16) {
    look_ahead();
  }

  __device__ void next(uint32_t stage) {
    unrolled<(kWeightChunks + Shape::kThreads - 1) / Shape::kThreads>([&](auto i) {
      constexpr int kChunk = i * Shape::kThreads;
      if (kChunk + Shape::kThreads <= kWeightChunks || threadIdx.x < kWeightChunks - kChunk)
        ptx::cp_async16<kChunk * 16>(stage + threadIdx.x * 16, weight_ + kChunk * 16);
    });
    weight_ += Shape::kTileBytes;
    const char* column = x_ + static_cast<uint64_t>(column_) * x_pitch_;
    unrolled<Shape::kChunks / kOfColumn>(
        [&](auto i) { ptx::cp_async16<i * kOfColumn * Shape::kChunkBytes>(stage + x_to_, column + i * kOfColumn * 16); });
    look_ahead();
  }

 private:
  __device__ void look_ahead() {
    if (left_-- <= 0) return;
    column_ = __ldg(columns_);
    columns_ += Shape::kColumns;
  }

  const char *weight_, *x_;
  uint32_t x_pitch_;  // 32 rows of 2^32 bytes would fill any device
  const int32_t* columns_;
  int left_;
  uint32_t x_to_;
  uint32_t column_;
};

// Operand B: n8 tiles, 32 inputs a step. Of 32 columns a tile only inputs 4i and 4i + 1 are there; the weight has nothing at the others,
// and what mma.sp does not select may be anything: the same two again.
template <class Shape>
class ColumnsOfX {
 public:
  __device__ ColumnsOfX() {
    const int lane = threadIdx.x % 32, chunk = threadIdx.x / 32 / Shape::kWarpsOut * Shape::kJ;
    const int column = Shape::kColumns == 64 ? lane : lane / 4 * 2 + lane % 2;
    at_ = Shape::kXAt + chunk * Shape::kChunkBytes + column * 16;
  }
  template <int kJ, int kStep>
  __device__ void load(uint32_t stage, uint32_t (&b)[4]) const {
    ptx::ldmatrix_x4_trans<kJ * Shape::kChunkBytes + kStep * Shape::kColumns / 2 * 16>(b, stage + at_);
  }

 private:
  uint32_t at_;
};

// Grid: row blocks, token tiles, splits.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks) gathered_mma(const __grid_constant__ SpmmCudaProduct p) {
  extern __shared__ __align__(128) uint8_t gathered_shared[];
  const int64_t first_token = static_cast<int64_t>(blockIdx.y) * Shape::kTokens;
  const uint32_t begin = p.starts[blockIdx.x], tiles = p.starts[blockIdx.x + 1] - begin;
  const uint32_t first = begin + tiles * blockIdx.z / p.splits, end = begin + tiles * (blockIdx.z + 1) / p.splits;
  typename Shape::Sum sum[Shape::kI][Shape::kJ][4] = {};
  GatheringLoader<Shape> loader(p, first_token, first, end);
  sum_tiles<Shape, ColumnsOfX>(p, loader, static_cast<int>(end - first), ptx::shared_address(gathered_shared), sum);
  finish_block<Shape>(p, static_cast<int64_t>(blockIdx.x) * Shape::kBlockRows, first_token, sum, reinterpret_cast<float*>(gathered_shared));
}

}  // namespace sk

// The loop nest on CUDA cores, for any pattern: load -> multiply -> store, for 64 outputs x kTokens tokens.
//
// A block of threads copies 64 inputs of all its tokens to shared memory at a time (two stages); each warp has eight rows of the weight, a
// lane kTokens / 32 tokens. A non-zero is then one multiply-add of a warp for each 128 bytes that it reads of shared memory. That is the
// floor: shared memory gives 128 bytes a cycle where four multiply-adds of a warp could be issued, so a quarter of the peak rate. The
// weight itself is read once, by one warp, straight from global memory.
#pragma once

#include "../../cuda/ptx.h"
#include "finish.h"
#include "kernel.h"

namespace sk {

template <int kTokensOfBlock>
struct CellShape {
  static constexpr int kTokens = kTokensOfBlock, kThreads = 32 * kCellWarps, kRows = kCellRows / kCellWarps, kVector = kTokens / 32;
  static constexpr int kStageBytes = kCellInputs * kTokens * 4;
  static constexpr int kSumPitch = kCellRows + 4;
  static constexpr int kSharedBytes = 2 * kStageBytes > kTokens * kSumPitch * 4 ? 2 * kStageBytes : kTokens * kSumPitch * 4;
};

// Starts the copy of 64 inputs x kTokens tokens of the transposed x.
template <class Shape>
__device__ inline void load_inputs(const char* x, int64_t pitch, uint32_t stage) {
  constexpr int kChunks = Shape::kTokens / 4, kRowsAtOnce = Shape::kThreads / kChunks;
  const int row = threadIdx.x / kChunks, chunk = threadIdx.x % kChunks;
  const char* from = x + row * pitch + chunk * 16;
  unrolled<kCellInputs / kRowsAtOnce>([&](auto i) {
    ptx::cp_async16<i * kRowsAtOnce * Shape::kTokens * 4>(stage + threadIdx.x * 16, from);
    from += kRowsAtOnce * pitch;
  });
  ptx::cp_async_commit();
}

// sum[vector] += value * x[input][tokens of the lane]
template <int kVector>
__device__ inline void multiply_add(float value, const float* row, float (&sum)[kVector]) {
  if constexpr (kVector == 4) {
    const float4 x = *reinterpret_cast<const float4*>(row);
    sum[0] = fmaf(value, x.x, sum[0]);
    sum[1] = fmaf(value, x.y, sum[1]);
    sum[2] = fmaf(value, x.z, sum[2]);
    sum[3] = fmaf(value, x.w, sum[3]);
  } else {
    sum[0] = fmaf(value, row[0], sum[0]);
  }
}

// The rows of one warp in one cell, with the inputs in shared memory.
template <class Shape>
__device__ inline void multiply_cell(const SpmmCells& cells, const uint32_t* starts, const float* inputs,
                                     float (&sum)[Shape::kRows][Shape::kVector]) {
  const float* lane_inputs = inputs + threadIdx.x % 32 * Shape::kVector;
  uint32_t quad = starts[0];
#pragma unroll
  for (int r = 0; r < Shape::kRows; ++r) {
    const uint32_t end = starts[r + 1];
    for (; quad < end; ++quad) {
      const float4 value = __ldg(reinterpret_cast<const float4*>(cells.values) + quad);
      const uchar4 index = __ldg(reinterpret_cast<const uchar4*>(cells.indices) + quad);
      multiply_add(value.x, lane_inputs + index.x * Shape::kTokens, sum[r]);
      multiply_add(value.y, lane_inputs + index.y * Shape::kTokens, sum[r]);
      multiply_add(value.z, lane_inputs + index.z * Shape::kTokens, sum[r]);
      multiply_add(value.w, lane_inputs + index.w * Shape::kTokens, sum[r]);
    }
  }
}

// Grid: row blocks, token tiles.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 2) cells_product(const SpmmCudaProduct p) {
  extern __shared__ __align__(128) uint8_t cells_shared[];
  const int64_t row_block = blockIdx.x, first_token = static_cast<int64_t>(blockIdx.y) * Shape::kTokens;
  const int lane = threadIdx.x % 32, first_place = threadIdx.x / 32 * Shape::kRows;
  const char* x = static_cast<const char*>(p.x) + first_token * 4;
  const uint32_t shared = ptx::shared_address(cells_shared);
  float sum[Shape::kRows][Shape::kVector] = {};
  load_inputs<Shape>(x, p.x_pitch, shared);
  for (int64_t k = 0; k < p.k_tiles; ++k) {
    const int stage = k % 2;
    if (k + 1 < p.k_tiles) {
      load_inputs<Shape>(x + (k + 1) * kCellInputs * p.x_pitch, p.x_pitch, shared + (1 - stage) * Shape::kStageBytes);
      ptx::cp_async_wait<1>();
    } else {
      ptx::cp_async_wait<0>();
    }
    __syncthreads();
    const uint32_t* starts = p.cells.starts + (row_block * p.k_tiles + k) * kCellRows + first_place;
    multiply_cell<Shape>(p.cells, starts, reinterpret_cast<const float*>(cells_shared + stage * Shape::kStageBytes), sum);
    __syncthreads();  // the stage is read by all before it is written again
  }

  // Sums to shared memory [tokens][rows], each row where it belongs.
  float* sums = reinterpret_cast<float*>(cells_shared);
#pragma unroll
  for (int r = 0; r < Shape::kRows; ++r) {
    const int row = p.cells.order[row_block * kCellRows + first_place + r];
#pragma unroll
    for (int v = 0; v < Shape::kVector; ++v) sums[(lane * Shape::kVector + v) * Shape::kSumPitch + row] = sum[r][v];
  }
  __syncthreads();
  constexpr int kEights = kCellRows / 8;
  const int column = threadIdx.x % kEights * 8;
  const int64_t output = row_block * kCellRows + column;
  if (output >= p.out) return;
  float bias[8];
  load_eight(p.bias + output, bias);
  for (int t = threadIdx.x / kEights; t < Shape::kTokens && first_token + t < p.tokens; t += Shape::kThreads / kEights) {
    float eight[8];
    read_eight(sums + t * Shape::kSumPitch + column, eight);
    finish_eight(p, first_token + t, output, bias, eight);
  }
}

}  // namespace sk

// The loop nest on CUDA cores, for any pattern: load -> multiply -> store, for 64 packed rows x kTokens tokens.
//
// A block of threads copies 64 inputs of all its tokens to shared memory at a time (two stages); each warp has eight rows of the weight, a
// lane kTokens / 32 tokens. A non-zero is then one multiply-add of a warp for each 128 bytes that it reads of shared memory. That is the
// floor: shared memory gives 128 bytes a cycle where four multiply-adds of a warp could be issued, so a quarter of the peak rate. The
// weight itself is read once, by one warp, straight from global memory. x is float32 whatever the weight is: 16-bit elements would halve
// the bytes, but their conversions take more issue slots than that saves.
#pragma once

#include "../../cuda/ptx.h"
#include "finish.h"
#include "kernel.h"

namespace sk {

template <int kTokensOfBlock>
struct CellShape {
  static constexpr int kTokens = kTokensOfBlock, kThreads = 32 * kCellWarps, kRows = kCellRows / kCellWarps, kVector = kTokens / 32;
  static constexpr int kRowBytes = kTokens * 4, kStageBytes = kCellInputs * kRowBytes;
  static constexpr int kSumPitch = kCellRows + 4;
  static constexpr int kSharedBytes = 2 * kStageBytes > kTokens * kSumPitch * 4 ? 2 * kStageBytes : kTokens * kSumPitch * 4;
};

// Starts the copy of 64 inputs x kTokens tokens of the transposed x.
template <class Shape>
__device__ inline void load_inputs(const char* x, int64_t pitch, uint32_t stage) {
  constexpr int kChunks = Shape::kRowBytes / 16, kRowsAtOnce = Shape::kThreads / kChunks;
  const int row = threadIdx.x / kChunks, chunk = threadIdx.x % kChunks;
  const char* from = x + row * pitch + chunk * 16;
  unrolled<kCellInputs / kRowsAtOnce>([&](auto i) {
    ptx::cp_async16<i * kRowsAtOnce * Shape::kRowBytes>(stage + threadIdx.x * 16, from);
    from += kRowsAtOnce * pitch;
  });
  ptx::cp_async_commit();
}

// Four values of a row, as they lie in memory, and where their inputs are, a byte each.
struct Quad {
  uint4 values;  // of 16-bit types x and y
  uint32_t inputs;

  __device__ Quad(const SpmmCells& cells, uint32_t at) {
    if (cells.type == DType::kFloat32) {
      values = __ldg(static_cast<const uint4*>(cells.values) + at);
    } else {
      const uint2 two = __ldg(static_cast<const uint2*>(cells.values) + at);
      values.x = two.x, values.y = two.y;
    }
    inputs = __ldg(reinterpret_cast<const uint32_t*>(cells.indices) + at);
  }

  __device__ void widen(DType type, float (&value)[4]) const {
    if (type == DType::kFloat32) {
      value[0] = __uint_as_float(values.x), value[1] = __uint_as_float(values.y);
      value[2] = __uint_as_float(values.z), value[3] = __uint_as_float(values.w);
    } else if (type == DType::kFloat16) {
      widen_pair(Half(), values.x, value[0], value[1]);
      widen_pair(Half(), values.y, value[2], value[3]);
    } else {
      widen_pair(BHalf(), values.x, value[0], value[1]);
      widen_pair(BHalf(), values.y, value[2], value[3]);
    }
  }
};

// sum[vector] += value * x[tokens of the lane], at an address of shared memory
template <int kVector>
__device__ inline void multiply_add(float value, uint32_t at, float (&sum)[kVector]) {
  float x[kVector];
  ptx::load_shared(x, at);
#pragma unroll
  for (int v = 0; v < kVector; ++v) sum[v] = fmaf(value, x[v], sum[v]);
}

// The rows of one warp in one cell, with the inputs in shared memory. A quad is loaded while the one before it is multiplied; the quads of
// a cell lie one after the other, and there is one behind the last.
template <class Shape>
__device__ inline void multiply_cell(const SpmmCells& cells, const uint32_t* starts, uint32_t stage,
                                     float (&sum)[Shape::kRows][Shape::kVector]) {
  const uint32_t inputs = stage + threadIdx.x % 32 * Shape::kVector * 4;
  uint32_t at = starts[0];
  Quad next(cells, at);
#pragma unroll
  for (int r = 0; r < Shape::kRows; ++r) {
    const uint32_t end = starts[r + 1];
#pragma unroll 1
    while (at < end) {
      const Quad quad = next;
      next = Quad(cells, ++at);
      float value[4];
      quad.widen(cells.type, value);
#pragma unroll
      for (int i = 0; i < 4; ++i) multiply_add(value[i], inputs + __byte_perm(quad.inputs, 0, 0x4440 + i) * Shape::kRowBytes, sum[r]);
    }
  }
}

// Grid: row blocks, token tiles.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 2) cells_product(const __grid_constant__ SpmmCudaProduct p) {
  extern __shared__ __align__(128) uint8_t cells_shared[];
  const int64_t row_block = blockIdx.x, first_token = static_cast<int64_t>(blockIdx.y) * Shape::kTokens;
  const int lane = threadIdx.x % 32, first_place = threadIdx.x / 32 * Shape::kRows;
  const char* x = static_cast<const char*>(p.x) + static_cast<int64_t>(blockIdx.y) * Shape::kRowBytes;
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
    multiply_cell<Shape>(p.cells, starts, shared + stage * Shape::kStageBytes, sum);
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
  finish_sums(p, kCellRows, row_block * kCellRows, first_token, Shape::kTokens, sums);
}

}  // namespace sk

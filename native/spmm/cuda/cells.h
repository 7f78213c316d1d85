// The loop nest on CUDA cores, for any pattern: load -> multiply -> store, for 64 packed rows x kTokens tokens.
//
// A block of threads copies 64 inputs of all its tokens to shared memory at a time (two stages); each warp has eight rows of the weight, a
// lane kTokens / 32 tokens. A non-zero is then one multiply-add of a warp for each 128 bytes that it reads of shared memory. That is the
// floor: shared memory gives 128 bytes a cycle where four multiply-adds of a warp could be issued, so a quarter of the peak rate. The
// weight itself is read once, by one warp, straight from global memory. x is float32 whatever the weight is: 16-bit elements would halve
// the bytes, but their conversions take more issue slots than that saves. int8 x has a quarter of the bytes, and four products for an
// instruction: of a quad of weights and of four tokens of a lane, turned in registers.
#pragma once

#include <algorithm>
#include <type_traits>

#include "../../cuda/ptx.h"
#include "finish.h"
#include "kernel.h"
#include "transpose.h"

namespace sk {

template <class X, int kTokensOfBlock>  // float or int8_t
struct CellShape {
  using Sum = std::conditional_t<std::is_same_v<X, int8_t>, int32_t, float>;
  static constexpr int kTokens = kTokensOfBlock, kThreads = 32 * kCellWarps, kRows = kCellRows / kCellWarps, kVector = kTokens / 32;
  static constexpr int kRowBytes = kTokens * sizeof(X), kStageBytes = kCellInputs * kRowBytes;
  static constexpr int kSumPitch = kCellRows + 4;
  static constexpr int kSharedBytes = std::max(2 * kStageBytes, kTokens * kSumPitch * 4);
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
  uint4 values;  // of 16-bit types x and y, of int8 x
  uint32_t inputs;

  __device__ Quad(const SpmmCells& cells, DType type, uint32_t at) {
    if (type == DType::kFloat32) {
      values = __ldg(static_cast<const uint4*>(cells.values) + at);
    } else if (type == DType::kInt8) {
      values.x = __ldg(static_cast<const uint32_t*>(cells.values) + at);
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
    } else if (type == DType::kBFloat16) {
      widen_pair(BHalf(), values.x, value[0], value[1]);
      widen_pair(BHalf(), values.y, value[2], value[3]);
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) value[i] = static_cast<int8_t>(values.x >> i * 8);
    }
  }

  // Where the row of x of one of the inputs lies.
  template <class Shape>
  __device__ uint32_t row(int i) const {
    return __byte_perm(inputs, 0, 0x4440 + i) * Shape::kRowBytes;
  }
};

// sum[vector] += the four products of each token of the lane; `stage` is where its tokens lie in a row of x.
template <class Shape>
__device__ inline void multiply_quad(const Quad& quad, DType type, uint32_t stage, float (&sum)[Shape::kVector]) {
  float value[4], x[Shape::kVector];
  quad.widen(type, value);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    ptx::load_shared(x, stage + quad.row<Shape>(i));
#pragma unroll
    for (int v = 0; v < Shape::kVector; ++v) sum[v] = fmaf(value[i], x[v], sum[v]);
  }
}
template <class Shape>
__device__ inline void multiply_quad(const Quad& quad, DType, uint32_t stage, int32_t (&sum)[4]) {
  uint32_t x[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) x[i] = ptx::load_shared(stage + quad.row<Shape>(i));
  transpose_bytes(x);
#pragma unroll
  for (int v = 0; v < 4; ++v) sum[v] = __dp4a(static_cast<int32_t>(x[v]), static_cast<int32_t>(quad.values.x), sum[v]);
}

// The rows of one warp in one cell, with the inputs in shared memory. A quad is loaded while the one before it is multiplied; the quads of
// a cell lie one after the other, and there is one behind the last.
template <class Shape>
__device__ inline void multiply_cell(const SpmmCells& cells, const uint32_t* starts, uint32_t stage,
                                     typename Shape::Sum (&sum)[Shape::kRows][Shape::kVector]) {
  const uint32_t inputs = stage + threadIdx.x % 32 * (Shape::kRowBytes / 32);
  const DType type = std::is_same_v<typename Shape::Sum, int32_t> ? DType::kInt8 : cells.type;
  uint32_t at = starts[0];
  Quad next(cells, type, at);
#pragma unroll
  for (int r = 0; r < Shape::kRows; ++r) {
    const uint32_t end = starts[r + 1];
#pragma unroll 1
    while (at < end) {
      const Quad quad = next;
      next = Quad(cells, type, ++at);
      multiply_quad<Shape>(quad, type, inputs, sum[r]);
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
  typename Shape::Sum sum[Shape::kRows][Shape::kVector] = {};
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

  // Sums, times the scales of their rows, to shared memory [tokens][rows], each row where it belongs.
  float* sums = reinterpret_cast<float*>(cells_shared);
#pragma unroll
  for (int r = 0; r < Shape::kRows; ++r) {
    const int row = p.cells.order[row_block * kCellRows + first_place + r];
    const float scale = p.scale ? p.scale[row_block * kCellRows + row] : 1.0f;
#pragma unroll
    for (int v = 0; v < Shape::kVector; ++v)
      sums[(lane * Shape::kVector + v) * Shape::kSumPitch + row] = static_cast<float>(sum[r][v]) * scale;
  }
  __syncthreads();
  finish_sums(p, kCellRows, row_block * kCellRows, first_token, Shape::kTokens, sums);
}

}  // namespace sk

// The loop nest on CUDA cores, for any pattern: load -> multiply -> store, for 64 packed rows x kTokens tokens.
//
// A block of threads copies 64 inputs of all its tokens to shared memory at a time (two stages); each warp has eight rows of the weight, a
// lane kTokens / 32 tokens. A non-zero is then one multiply-add of a warp for each 32 tokens that it reads of shared memory. That is the
// floor: of 32-bit elements shared memory gives 32 a cycle where four multiply-adds of a warp could be issued, so a quarter of the peak
// rate. Of 16-bit elements it gives twice as many; a conversion and a multiply-add each then take about as long. The weight itself is read
// once, by one warp, straight from global memory.
#pragma once

#include "../../cuda/ptx.h"
#include "finish.h"
#include "kernel.h"

namespace sk {

template <class T, int kTokensOfBlock>
struct CellShape {
  using Values = T;
  static constexpr int kTokens = kTokensOfBlock, kThreads = 32 * kCellWarps, kRows = kCellRows / kCellWarps, kVector = kTokens / 32;
  static constexpr int kRowBytes = kTokens * static_cast<int>(sizeof(T)), kStageBytes = kCellInputs * kRowBytes;
  static constexpr int kSumPitch = kCellRows + 4;
  static constexpr int kSharedBytes = 2 * kStageBytes > kTokens * kSumPitch * 4 ? 2 * kStageBytes : kTokens * kSumPitch * 4;
};

// Starts the copy of 64 inputs x kTokens tokens of the transposed x.
template <class Shape>
__device__ inline void load_inputs(const char* x, int64_t pitch, uint32_t stage) {
  constexpr int kChunks = Shape::kRowBytes / 16, kRowsAtOnce = Shape::kThreads / kChunks;
  const int row = threadIdx.x / kChunks, chunk = threadIdx.x % kChunks;
  const char* from = x + row * pitch + chunk * 16;
  unrolled<(kCellInputs + kRowsAtOnce - 1) / kRowsAtOnce>([&](auto i) {
    ptx::cp_async16<i * kRowsAtOnce * Shape::kRowBytes>(stage + threadIdx.x * 16, from);
    from += kRowsAtOnce * pitch;
  });
  ptx::cp_async_commit();
}

// A quad of values, or of tokens.
__device__ inline void load_four(const float* from, float (&x)[4]) {
  const float4 four = *reinterpret_cast<const float4*>(from);
  x[0] = four.x, x[1] = four.y, x[2] = four.z, x[3] = four.w;
}
template <class T>
__device__ inline void load_four(const T* from, float (&x)[4]) {
  const uint2 four = *reinterpret_cast<const uint2*>(from);
#pragma unroll
  for (int i = 0; i < 4; ++i) x[i] = widen_from(T{static_cast<uint16_t>((i < 2 ? four.x : four.y) >> i % 2 * 16)});
}

// sum[vector] += value * x[input][tokens of the lane]
template <class T, int kVector>
__device__ inline void multiply_add(float value, const T* row, float (&sum)[kVector]) {
  float x[kVector];
  if constexpr (kVector == 4)
    load_four(row, x);
  else
    x[0] = widen_from(row[0]);
#pragma unroll
  for (int v = 0; v < kVector; ++v) sum[v] = fmaf(value, x[v], sum[v]);
}

// Four values of a row and where their inputs are.
template <class T>
struct Quad {
  float value[4];
  uchar4 input;

  __device__ Quad(const SpmmCells& cells, uint32_t at) {
    load_four(static_cast<const T*>(cells.values) + at * size_t{4}, value);
    input = __ldg(reinterpret_cast<const uchar4*>(cells.indices) + at);
  }
};

// The rows of one warp in one cell, with the inputs in shared memory. A quad is loaded while the one before it is multiplied; the quads of
// a cell lie one after the other, and there is one behind the last.
template <class Shape>
__device__ inline void multiply_cell(const SpmmCells& cells, const uint32_t* starts, const uint8_t* stage,
                                     float (&sum)[Shape::kRows][Shape::kVector]) {
  using T = typename Shape::Values;
  const T* inputs = reinterpret_cast<const T*>(stage) + threadIdx.x % 32 * Shape::kVector;
  uint32_t at = starts[0];
  Quad<T> next(cells, at);
#pragma unroll
  for (int r = 0; r < Shape::kRows; ++r) {
    const uint32_t end = starts[r + 1];
#pragma unroll 1
    while (at < end) {
      const Quad<T> quad = next;
      next = Quad<T>(cells, ++at);
      multiply_add(quad.value[0], inputs + quad.input.x * Shape::kTokens, sum[r]);
      multiply_add(quad.value[1], inputs + quad.input.y * Shape::kTokens, sum[r]);
      multiply_add(quad.value[2], inputs + quad.input.z * Shape::kTokens, sum[r]);
      multiply_add(quad.value[3], inputs + quad.input.w * Shape::kTokens, sum[r]);
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
    multiply_cell<Shape>(p.cells, starts, cells_shared + stage * Shape::kStageBytes, sum);
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

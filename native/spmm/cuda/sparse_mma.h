// The loop nest on sparse tensor cores: load -> multiply -> store, for one tile of 128 outputs x kTokens tokens.
//
// The weight is operand A of mma.sp (only A may be sparse), x operand B ("col": x as it is stored, [tokens][in]), so the sums of a warp are
// y transposed: rows are outputs, columns tokens. The floor of a tile is its bytes over the bandwidth of L2 or 2 * 128 * kTokens * in
// operations over the rate of the sparse tensor cores; all other instructions must hide behind the mma.sp. A warp tile of 64 outputs x 32
// tokens needs 10 loads from shared memory for its 16 mma.sp of a step of 32 inputs.
//
// Legend: i = m16 tiles of outputs of a warp, j = its n8 tiles of tokens, s = the steps of 32 inputs in a k tile (64 inputs).
#pragma once

#include "../../cuda/ptx.h"
#include "finish.h"
#include "kernel.h"

namespace sk {

// A block of threads: kWarpsOut x kWarpsTokens warps, kStages k tiles under way.
template <class T, int kTokensOfTile, int kWarpsOut_, int kWarpsTokens, int kStages_>
struct SparseMmaShape {
  using Values = T;
  static constexpr int kTokens = kTokensOfTile, kWarpsOut = kWarpsOut_, kStages = kStages_;
  static constexpr int kThreads = 32 * kWarpsOut * kWarpsTokens;
  static constexpr int kI = kTileRows / kWarpsOut / 16, kJ = kTokens / kWarpsTokens / 8;
  static constexpr int kStageBytes = kTileBytes + kTokens * kTileRowBytes;
  static constexpr int kSumPitch = kTileRows + 4;  // floats: lanes of a store then fall into different banks
  static constexpr int kSharedBytes = kStages * kStageBytes > kTokens * kSumPitch * 4 ? kStages* kStageBytes : kTokens * kSumPitch * 4;
  static_assert(kI % 2 == 0, "a word of metadata serves two m16 tiles");
};

template <int kSelector>
__device__ inline void multiply_add(Half, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  ptx::mma_sp_f16<kSelector>(d, a, b, metadata);
}
template <int kSelector>
__device__ inline void multiply_add(BHalf, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  ptx::mma_sp_bf16<kSelector>(d, a, b, metadata);
}

// What one thread copies of each k tile: chunks of 16 bytes of the weight's tile, as it is, and of the rows of x.
template <class Shape>
class TileLoader {
  static constexpr int kWeightChunks = kTileBytes / 16, kRowsAtOnce = Shape::kThreads / 8, kRows = Shape::kTokens / kRowsAtOnce;

 public:
  __device__ TileLoader(const SpmmCudaProduct& p, int64_t row_block, int64_t first_token, int64_t first_tile)
      : weight_(static_cast<const char*>(p.tiles) + (row_block * p.k_tiles + first_tile) * kTileBytes + threadIdx.x * 16),
        left_(static_cast<int>(p.in * 2 - first_tile * kTileRowBytes) - static_cast<int>(threadIdx.x) % 8 * 16) {
    const int token = threadIdx.x / 8, chunk = threadIdx.x % 8;
    for (int r = 0; r < kRows; ++r) present_[r] = first_token + token + r * kRowsAtOnce < p.tokens;
    x_ = static_cast<const char*>(p.x) + (first_token + token) * p.x_pitch + first_tile * kTileRowBytes + chunk * 16;
    pitch_ = p.x_pitch * kRowsAtOnce;
    x_to_ = token * kTileRowBytes + (chunk ^ token % 8) * 16;  // a row is a line; see kernel.h for the order of the chunks of the weight
    static_assert(kRowsAtOnce % 8 == 0, "all rows of a thread have the same order of chunks");
  }

  // Starts the copies of the next k tile. Rows and inputs that x does not have become 0.
  __device__ void next(uint32_t stage) {
#pragma unroll
    for (int c = 0; c < kWeightChunks; c += Shape::kThreads)
      if (c + Shape::kThreads <= kWeightChunks || c + static_cast<int>(threadIdx.x) < kWeightChunks)
        ptx::cp_async16(stage + (c + threadIdx.x) * 16, weight_ + c * 16);
    const int valid = min(max(left_, 0), 16);
#pragma unroll
    for (int r = 0; r < kRows; ++r)
      ptx::cp_async16(stage + kTileBytes + x_to_ + r * kRowsAtOnce * kTileRowBytes, x_ + r * pitch_, present_[r] ? valid : 0);
    weight_ += kTileBytes;
    x_ += kTileRowBytes;
    left_ -= kTileRowBytes;
  }

 private:
  const char *weight_, *x_;
  int64_t pitch_;
  uint32_t x_to_;
  int left_;
  bool present_[kRows];
};

// The sums of the k tiles [first, last) in registers.
template <class Shape>
__device__ inline void multiply_tiles(const SpmmCudaProduct& p, int64_t row_block, int64_t first_token, int64_t first, int64_t last,
                                      uint32_t shared, float (&sum)[Shape::kI][Shape::kJ][4]) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_row = warp % Shape::kWarpsOut * Shape::kI * 16, warp_token = warp / Shape::kWarpsOut * Shape::kJ * 8;
  // Where this lane's rows for ldmatrix lie in a stage. A step of 32 inputs further is one bit of the chunk, so an exclusive or.
  const int a_row = warp_row + lane % 16, b_row = warp_token + lane % 8;
  const uint32_t a_at = a_row / 2 * 128 + a_row % 2 * 64 + ((lane / 16) ^ (a_row / 2 % 4)) * 16;
  const uint32_t b_at = kTileBytes + b_row * kTileRowBytes + ((lane / 8) ^ (b_row % 8)) * 16;
  const uint32_t metadata_at = kTileValueBytes + warp_row / 32 * 256 + lane * 4;

  TileLoader<Shape> loader(p, row_block, first_token, first);
  for (int stage = 0; stage < Shape::kStages - 1; ++stage) {
    if (first + stage < last) loader.next(shared + stage * Shape::kStageBytes);
    ptx::cp_async_commit();
  }
  const uint32_t end = shared + Shape::kStages * Shape::kStageBytes;
  uint32_t read = shared, write = shared + (Shape::kStages - 1) * Shape::kStageBytes;
  for (int64_t tile = first; tile < last; ++tile) {
    ptx::cp_async_wait<Shape::kStages - 2>();
    __syncthreads();  // the tile is there for all warps, and all have left the stage that is written next
    if (tile + Shape::kStages - 1 < last) loader.next(write);
    ptx::cp_async_commit();
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      uint32_t b[Shape::kJ][4];
#pragma unroll
      for (int j = 0; j < Shape::kJ; ++j) ptx::ldmatrix_x4(b[j], (read + b_at + j * 8 * kTileRowBytes) ^ (s * 64));
#pragma unroll
      for (int i = 0; i < Shape::kI; i += 2) {
        uint32_t even[4], odd[4];
        ptx::ldmatrix_x4(even, (read + a_at + i * 16 * 64) ^ (s * 32));
        ptx::ldmatrix_x4(odd, (read + a_at + (i + 1) * 16 * 64) ^ (s * 32));
        const uint32_t metadata = ptx::load_shared(read + metadata_at + i / 2 * 256 + s * 128);
#pragma unroll
        for (int j = 0; j < Shape::kJ; ++j) {
          multiply_add<0>(typename Shape::Values(), sum[i][j], even, b[j], metadata);
          multiply_add<1>(typename Shape::Values(), sum[i + 1][j], odd, b[j], metadata);
        }
      }
    }
    read = read + Shape::kStageBytes == end ? shared : read + Shape::kStageBytes;
    write = write + Shape::kStageBytes == end ? shared : write + Shape::kStageBytes;
  }
  ptx::cp_async_wait<0>();
  __syncthreads();  // the stages are free for the sums
}

// Sums to shared memory [tokens][outputs]: a row of y is then a row there.
template <class Shape>
__device__ inline void gather_sums(const float (&sum)[Shape::kI][Shape::kJ][4], float* to) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int warp_row = warp % Shape::kWarpsOut * Shape::kI * 16, warp_token = warp / Shape::kWarpsOut * Shape::kJ * 8;
#pragma unroll
  for (int i = 0; i < Shape::kI; ++i)
#pragma unroll
    for (int j = 0; j < Shape::kJ; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e)
        to[(warp_token + j * 8 + 2 * t + e % 2) * Shape::kSumPitch + warp_row + i * 16 + g + e / 2 * 8] = sum[i][j][e];
  __syncthreads();
}

// Grid: row blocks, token tiles, splits.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 2) sparse_mma(const SpmmCudaProduct p) {
  extern __shared__ __align__(128) uint8_t shared[];
  const int64_t row_block = blockIdx.x, first_token = static_cast<int64_t>(blockIdx.y) * Shape::kTokens;
  const int64_t first = p.k_tiles * blockIdx.z / p.splits, last = p.k_tiles * (blockIdx.z + 1) / p.splits;
  float sum[Shape::kI][Shape::kJ][4] = {};
  multiply_tiles<Shape>(p, row_block, first_token, first, last, ptx::shared_address(shared), sum);
  float* sums = reinterpret_cast<float*>(shared);
  gather_sums<Shape>(sum, sums);

  constexpr int kEights = kTileRows / 8;
  for (int c = threadIdx.x; c < Shape::kTokens * kEights; c += Shape::kThreads) {
    const int64_t token = first_token + c / kEights, output = row_block * kTileRows + c % kEights * 8;
    if (token >= p.tokens || output >= p.out) continue;
    const float* eight = sums + c / kEights * Shape::kSumPitch + c % kEights * 8;
    if (p.splits == 1)
      finish_eight(p, token, output, eight);
    else
      store_eight(p.partial + (blockIdx.z * p.tokens + token) * p.out, output, p.out, eight);
  }
}

}  // namespace sk

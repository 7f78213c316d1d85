// The loop nest on sparse tensor cores: load -> multiply -> store, for one or two tiles of 128 outputs x kTokens tokens.
//
// The weight is operand A of mma.sp (only A may be sparse), x operand B ("col": x as it is stored, [tokens][in]), so the sums of a warp are
// y transposed: rows are outputs, columns tokens. The floor is 2 * 128 * kTokens * in operations of a tile over the rate of the sparse
// tensor cores; all else must hide behind the mma.sp. What comes closest to it is shared memory: in a step a warp with 64
// outputs x 64 tokens reads 50 lines of 128 bytes for 32 mma.sp, which take a multiprocessor of sm_80 64 cycles; with 32 tokens 34 for 32
// cycles.
//
// Legend: i = m16 tiles of outputs of a warp, j = its n8 tiles of tokens, s = the two steps of a k tile (128 bytes of x).
#pragma once

#include <algorithm>
#include <type_traits>

#include "../../cuda/ptx.h"
#include "finish.h"
#include "kernel.h"
#include "weight_operand.h"

namespace sk {

// A block of threads: kWarpsOut x kWarpsTokens warps, kStages k tiles of kRowTiles row blocks under way, kBlocks blocks a multiprocessor.
template <class T, int kRowTiles_, int kTokensOfTile, int kWarpsOut_, int kWarpsTokens_, int kStages_, int kBlocks_,
          int kRowsOfTile = kTileRows>
struct SparseMmaShape {
  using Values = T;
  using Sum = std::conditional_t<std::is_same_v<T, int8_t>, int32_t, float>;
  static constexpr TileForm kForm = form_of<T>;
  static constexpr int kElementBytes = x_bytes<T>, kTileBytes = tile_bytes(kForm) * kRowsOfTile / kTileRows,
                       kValueBytes = tile_value_bytes(kForm) * kRowsOfTile / kTileRows;
  static constexpr bool kLevels = is_nibbles(kForm);
  static constexpr bool kScaled = kForm == TileForm::kBytes || kForm == TileForm::kByteLanes;  // by rows
  static constexpr int kMetadataRows = kForm == TileForm::kBytes ? 16 : 32;  // that a word of metadata of each lane serves
  static constexpr int kRowTiles = kRowTiles_, kTokens = kTokensOfTile, kStages = kStages_, kBlocks = kBlocks_;
  static constexpr int kWarpsOut = kWarpsOut_, kWarpsTokens = kWarpsTokens_, kThreads = 32 * kWarpsOut * kWarpsTokens;
  static constexpr int kBlockRows = kRowTiles * kRowsOfTile, kI = kBlockRows / kWarpsOut / 16, kJ = kTokens / kWarpsTokens / 8;
  static constexpr int kXAt = kRowTiles * kTileBytes, kStageBytes = kXAt + kTokens * kTileRowBytes;
  static constexpr int kSumPitch = kBlockRows + 4;  // floats: lanes of a store then fall into different banks
  static constexpr int kSumBytes = kTokens * kSumPitch * 4,
                       kSharedBytes = std::max(kStages * kStageBytes, kSumBytes);  // one, then the other
  static_assert(kI % 2 == 0 && kRowsOfTile % (kI * 16) == 0, "a word of metadata may serve two m16 tiles, a warp stays in one tile");
};

// Half, or what is widened to it.
template <int kSelector, class T>
__device__ inline void multiply_add(T, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  ptx::mma_sp_f16<kSelector>(d, a, b, metadata);
}
template <int kSelector>
__device__ inline void multiply_add(BHalf, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  ptx::mma_sp_bf16<kSelector>(d, a, b, metadata);
}
template <int kSelector>
__device__ inline void multiply_add(Tf32, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  ptx::mma_sp_tf32<kSelector>(d, a, b, metadata);
}
template <int kSelector>
__device__ inline void multiply_add(int8_t, int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  ptx::mma_sp_s8(d, a, b, metadata);
}

// What one thread copies of each k tile: chunks of 16 bytes of the weight's tile, as it is, and of the rows of x.
template <class Shape>
class TileLoader {
  static constexpr int kMostChunks = Shape::kTileBytes / 16, kRowsAtOnce = Shape::kThreads / 8,
                       kFewestChunks = tile_bytes(Shape::kForm, 1) / 16, kRows = Shape::kTokens / kRowsAtOnce;
  static_assert(kRowsAtOnce % 8 == 0, "all rows of a thread have the same order of chunks");

 public:
  __device__ TileLoader(const SpmmCudaProduct& p, int64_t first_row, int64_t first_token, int64_t first_tile)
      : tile_bytes_(Shape::kLevels ? p.tile_bytes : Shape::kTileBytes) {
    unrolled<Shape::kRowTiles>([&](auto t) {
      const int64_t row_block = min(first_row + t * kTileRows, p.rows - 1) / kTileRows;  // the last again, where there is no other
      weight_[t] = static_cast<const char*>(p.tiles) + (row_block * p.k_tiles + first_tile) * tile_bytes_ + threadIdx.x * 16;
    });
    const int token = threadIdx.x / 8, chunk = threadIdx.x % 8;
    left_ = static_cast<int>(p.in * Shape::kElementBytes - first_tile * kTileRowBytes) - chunk * 16;
    x_to_ = token * kTileRowBytes + (chunk ^ token % 8) * 16;  // a row is a line; see kernel.h for the order of the chunks of the weight
    const char* x = static_cast<const char*>(p.x) + first_tile * kTileRowBytes + chunk * 16;
    unrolled<kRows>([&](auto r) {
      const int64_t row = first_token + token + r * kRowsAtOnce;
      present_[r] = row < p.tokens;
      x_[r] = x + row * p.x_pitch;
    });
  }

  // Starts the copies of the next k tile; rows and inputs that x does not have become 0.
  __device__ void next(uint32_t stage) {
    const uint32_t weight_to = stage + threadIdx.x * 16, x_to = stage + x_to_;
    unrolled<Shape::kRowTiles>([&](auto t) {
      unrolled<(kMostChunks + Shape::kThreads - 1) / Shape::kThreads>([&](auto i) {
        constexpr int kChunk = i * Shape::kThreads;
        if (kChunk + Shape::kThreads <= kFewestChunks || threadIdx.x < tile_bytes_ / 16 - kChunk)
          ptx::cp_async16<t * Shape::kTileBytes + kChunk * 16>(weight_to, weight_[t] + kChunk * 16);
      });
      weight_[t] += tile_bytes_;
    });
    const int valid = min(max(left_, 0), 16);
    unrolled<kRows>([&](auto r) {
      ptx::cp_async16<Shape::kXAt + r * kRowsAtOnce * kTileRowBytes>(x_to, x_[r], present_[r] ? valid : 0);
      x_[r] += kTileRowBytes;
    });
    left_ -= kTileRowBytes;
  }

 private:
  const int tile_bytes_;  // known when compiling but for 4-bit values
  const char *weight_[Shape::kRowTiles], *x_[kRows];
  uint32_t x_to_;
  int left_;
  bool present_[kRows];
};

// Operand B: n8 tiles of rows of x. The second step is one bit of the number of a chunk, so an exclusive or.
template <class Shape>
class RowsOfX {
 public:
  __device__ RowsOfX() {
    const int lane = threadIdx.x % 32, row = threadIdx.x / 32 / Shape::kWarpsOut * Shape::kJ * 8 + lane % 8;
    at_[0] = Shape::kXAt + row * kTileRowBytes + ((lane / 8) ^ (row % 8)) * 16;
    at_[1] = at_[0] ^ 64;
  }
  template <int kTile, int kStep>
  __device__ void load(uint32_t stage, uint32_t (&b)[4]) const {
    ptx::ldmatrix_x4<kTile * 8 * kTileRowBytes>(b, stage + at_[kStep]);
  }

 private:
  uint32_t at_[2];
};

// Where what a lane reads lies in a stage.
template <class Shape, template <class> class X>
struct Fragments {
  static constexpr int kRows = Shape::kBlockRows / Shape::kRowTiles;
  WeightOperand<typename Shape::Values> a;
  X<Shape> b;
  uint32_t metadata;

  __device__ Fragments(const SpmmCudaProduct& p) : a(p, warp_row() / kRows * Shape::kTileBytes, warp_row() % kRows) {
    const int tile = warp_row() / kRows * Shape::kTileBytes, block = warp_row() % kRows / Shape::kMetadataRows;
    metadata = tile + Shape::kValueBytes + block * 256 + threadIdx.x % 32 * 4;
  }
  __device__ static int warp_row() { return threadIdx.x / 32 % Shape::kWarpsOut * Shape::kI * 16; }
};

// sum += the product of one k tile.
template <class Shape, template <class> class X>
__device__ inline void multiply_tile(const Fragments<Shape, X>& at, uint32_t stage, typename Shape::Sum (&sum)[Shape::kI][Shape::kJ][4]) {
  using Values = typename Shape::Values;
  unrolled<2>([&](auto s) {
    const uint32_t metadata_at = stage + at.metadata;
    uint32_t b[Shape::kJ][4];
    unrolled<Shape::kJ>([&](auto j) { at.b.template load<j, s>(stage, b[j]); });
    unrolled<Shape::kI / 2>([&](auto pair) {
      uint32_t even[4], odd[4];
      at.a.template load<pair, s>(stage, even, odd);
      constexpr int kWord = pair * (32 / Shape::kMetadataRows) * 256 + s * 128;
      const uint32_t metadata = ptx::load_shared<kWord>(metadata_at);
      const uint32_t odd_metadata = Shape::kMetadataRows == 32 ? metadata : ptx::load_shared<kWord + 256>(metadata_at);
      unrolled<Shape::kJ>([&](auto j) {
        multiply_add<0>(Values(), sum[2 * pair][j], even, b[j], metadata);
        multiply_add<1>(Values(), sum[2 * pair + 1][j], odd, b[j], odd_metadata);
      });
    });
  });
}

// The sums of so many k tiles in registers.
template <class Shape, template <class> class X, class Loader>
__device__ inline void sum_tiles(const SpmmCudaProduct& p, Loader& loader, int tiles, uint32_t shared,
                                 typename Shape::Sum (&sum)[Shape::kI][Shape::kJ][4]) {
  const Fragments<Shape, X> at(p);
  int to_load = tiles;
  for (int stage = 0; stage < Shape::kStages - 1; ++stage) {
    if (to_load-- > 0) loader.next(shared + stage * Shape::kStageBytes);
    ptx::cp_async_commit();
  }
  const uint32_t end = shared + Shape::kStages * Shape::kStageBytes;
  uint32_t read = shared, write = end - Shape::kStageBytes;
  for (; tiles > 0; --tiles) {
    ptx::cp_async_wait<Shape::kStages - 2>();
    __syncthreads();  // the tile is there for all warps, and all have left the stage that is written next
    if (to_load-- > 0) loader.next(write);
    ptx::cp_async_commit();
    multiply_tile(at, read, sum);
    write = read;
    read = read + Shape::kStageBytes == end ? shared : read + Shape::kStageBytes;
  }
  ptx::cp_async_wait<0>();
}

// The sums, times the scales of their rows, to shared memory [tokens][packed rows]: a row of y is then a row there, or two parts of one.
template <class Shape>
__device__ inline void gather_sums(const SpmmCudaProduct& p, int64_t first_row, const typename Shape::Sum (&sum)[Shape::kI][Shape::kJ][4],
                                   float* to) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  __syncthreads();  // nobody reads what was there
  const int row = warp % Shape::kWarpsOut * Shape::kI * 16 + g;
  float* corner = to + (warp / Shape::kWarpsOut * Shape::kJ * 8 + 2 * t) * Shape::kSumPitch + row;
#pragma unroll
  for (int i = 0; i < Shape::kI; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int at = i * 16 + half * 8;
      float scale = 1;
      if constexpr (Shape::kScaled) scale = p.scale[first_row + row + at];
#pragma unroll
      for (int j = 0; j < Shape::kJ; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) corner[(j * 8 + e) * Shape::kSumPitch + at] = static_cast<float>(sum[i][j][2 * half + e]) * scale;
    }
  __syncthreads();
}

// They go to p.partial.
template <class Shape>
__device__ inline void store_partial(const SpmmCudaProduct& p, int64_t first_row, int64_t first_token, const float* sums) {
  constexpr int kEights = Shape::kBlockRows / 8;
  const int column = threadIdx.x % kEights * 8;
  const int64_t row = first_row + column;
  if (row >= p.rows) return;
  for (int t = threadIdx.x / kEights; t < Shape::kTokens && first_token + t < p.tokens; t += Shape::kThreads / kEights) {
    float eight[8];
    read_eight(sums + t * Shape::kSumPitch + column, eight);
    store_whole(p.partial + (blockIdx.z * p.tokens + first_token + t) * p.partial_pitch + row, eight);
  }
}

// The sums become outputs, or, of a split, go to p.partial.
template <class Shape>
__device__ inline void finish_block(const SpmmCudaProduct& p, int64_t first_row, int64_t first_token,
                                    const typename Shape::Sum (&sum)[Shape::kI][Shape::kJ][4], float* shared) {
  gather_sums<Shape>(p, first_row, sum, shared);
  if (p.splits == 1)
    finish_sums(p, Shape::kBlockRows, first_row, first_token, Shape::kTokens, shared);
  else
    store_partial<Shape>(p, first_row, first_token, shared);
}

// Grid: row tiles, token tiles, splits.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks) sparse_mma(const __grid_constant__ SpmmCudaProduct p) {
  extern __shared__ __align__(128) uint8_t shared[];
  const int64_t first_row = static_cast<int64_t>(blockIdx.x) * Shape::kBlockRows,
                first_token = static_cast<int64_t>(blockIdx.y) * Shape::kTokens;
  const int64_t first = p.k_tiles * blockIdx.z / p.splits, last = p.k_tiles * (blockIdx.z + 1) / p.splits;
  typename Shape::Sum sum[Shape::kI][Shape::kJ][4] = {};
  TileLoader<Shape> loader(p, first_row, first_token, first);
  sum_tiles<Shape, RowsOfX>(p, loader, static_cast<int>(last - first), ptx::shared_address(shared), sum);
  finish_block<Shape>(p, first_row, first_token, sum, reinterpret_cast<float*>(shared));
}

}  // namespace sk

// Products of a tile of queries and a tile of keys: load -> multiply, in float32 on CUDA cores, since what is selected by them must not
// depend on a rounding to 16 bits.
//
// Floor: few rows the bytes of the keys, once; many rows 2 dim FLOP a score. A step has 32 dims of both tiles in shared memory, dims
// outside, so that a thread reads for each dim one number of each of its rows and keys. Rows of an odd length: neither stores nor loads
// meet in a bank.
//
// Legend: a block of 128 threads is kY x kX; a thread has rows y + kY i and keys x + kX j of the tile.
#pragma once

#include "../../cuda/eights.h"
#include "kernel.h"

namespace sk {

constexpr int kScoreThreads = 128, kScoreDims = 32;

template <int kRowsEach, int kKeysEach, int kAlongKeys>
struct ScoreTile {
  static constexpr int kI = kRowsEach, kJ = kKeysEach, kX = kAlongKeys, kY = kScoreThreads / kAlongKeys;
  static constexpr int kRows = kI * kY, kKeys = kJ * kX;
};
using ManyRows = ScoreTile<8, 4, 16>;  // 64 x 64
using FewRows = ScoreTile<8, 1, 128>;  // 8 x 128: decoding

__device__ inline int32_t limit_of(const ScoreCudaRun& run, int32_t query) {
  if (run.causal) return max(query + 1 + run.keys - run.queries, 0);
  return run.limit ? min(max(run.limit[query], 0), run.keys) : run.keys;
}

// Where a row of q or k lies.
__device__ inline const char* score_row(const ScoreCudaOperand& x, int64_t batch, int64_t head, int64_t token) {
  return static_cast<const char*>(x.data) + (batch * x.batch + head * x.head + token * x.token) * x.element_bytes;
}

// kCount rows of 32 dims from `first` on to shared memory, transposed; row_of(r) is null where there is none.
template <int kCount, class RowOf>
__device__ inline void stage(float (*to)[kCount + 1], const ScoreCudaOperand& x, int32_t first, int32_t dims, RowOf row_of) {
  for (int piece = threadIdx.x; piece < kCount * kScoreDims / 8; piece += kScoreThreads) {
    const int row = piece / (kScoreDims / 8), dim = piece % (kScoreDims / 8) * 8;
    const char* from = row_of(row);
    float eight[8] = {};
    if (from) add_eight_as(x.type, from, 0, first + dim, dims, eight);
#pragma unroll
    for (int i = 0; i < 8; ++i) to[dim + i][row] = eight[i];
  }
}

template <class Tile, bool kBounds>
struct ScoreStage {
  float q[kScoreDims][Tile::kRows + 1];
  float k[kBounds ? 2 : 1][kScoreDims][Tile::kKeys + 1];  // bounds: the least, the greatest
};

// sum[i][j] = q k; bounds: sum over c of max(q_c least_c, q_c greatest_c). Rows and keys by functions, null where there is none.
template <class Tile, bool kBounds, class QueryOf, class KeyOf>
__device__ inline void multiply_tile(const ScoreCudaRun& run, ScoreStage<Tile, kBounds>& stages, QueryOf query_of, KeyOf key_of,
                                     float (&sum)[Tile::kI][Tile::kJ]) {
  const int x = static_cast<int>(threadIdx.x) % Tile::kX, y = static_cast<int>(threadIdx.x) / Tile::kX;
#pragma unroll
  for (auto& row : sum)
#pragma unroll
    for (float& s : row) s = 0;
  for (int32_t first = 0; first < run.dim; first += kScoreDims) {
    __syncthreads();  // all have read the step before
    stage<Tile::kRows>(stages.q, run.q, first, run.dim, query_of);
    stage<Tile::kKeys>(stages.k[0], run.k, first, run.dim, key_of);
    if constexpr (kBounds)
      stage<Tile::kKeys>(stages.k[1], run.k, first, run.dim, [&](int key) {
        const char* least = key_of(key);
        return least ? least + run.dim * run.k.element_bytes : nullptr;
      });
    __syncthreads();
#pragma unroll 4
    for (int c = 0; c < kScoreDims; ++c) {
      float a[Tile::kI], low[Tile::kJ], high[Tile::kJ];
#pragma unroll
      for (int i = 0; i < Tile::kI; ++i) a[i] = stages.q[c][y + Tile::kY * i];
#pragma unroll
      for (int j = 0; j < Tile::kJ; ++j) {
        low[j] = stages.k[0][c][x + Tile::kX * j];
        if constexpr (kBounds) high[j] = stages.k[1][c][x + Tile::kX * j];
      }
#pragma unroll
      for (int i = 0; i < Tile::kI; ++i)
#pragma unroll
        for (int j = 0; j < Tile::kJ; ++j)
          if constexpr (kBounds)
            sum[i][j] += fmaxf(a[i] * low[j], a[i] * high[j]);
          else
            sum[i][j] += a[i] * low[j];
    }
  }
}

// The sums to shared memory, where all threads can read them.
template <class Tile>
__device__ inline void share(float (*to)[Tile::kKeys + 1], const float (&sum)[Tile::kI][Tile::kJ]) {
  const int x = static_cast<int>(threadIdx.x) % Tile::kX, y = static_cast<int>(threadIdx.x) / Tile::kX;
  __syncthreads();  // all have read the tile before
#pragma unroll
  for (int i = 0; i < Tile::kI; ++i)
#pragma unroll
    for (int j = 0; j < Tile::kJ; ++j) to[y + Tile::kY * i][x + Tile::kX * j] = sum[i][j];
  __syncthreads();
}

}  // namespace sk

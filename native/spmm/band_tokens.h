// Bands of rows that share their columns: a tile of rows by tokens stays in registers, as in a dense matrix product, and every vector of x
// that is loaded serves all rows of the tile.
//
//   many   tokens in lanes: 4 rows x a panel of tokens; per column one load for each vector of x and one broadcast for each row
//   few    rows in lanes: per column one load of weights and one broadcast for each token; of one token two bands at once, or parts of one
//   widen  many: the weights of a band to float32 first, unless they are float32 already; few: where they are loaded
//
// Floor: many: one FMA per kept weight and token vector, 4 * vectors of them for 4 + vectors loads, so the loads have slack. few: the
// bytes of the packed weight.
#pragma once

#include "../simd/vec_portable.h"
#include "tile.h"

namespace sk {
namespace {

// Rows of a register tile; they divide every height of a band.
constexpr int kTileRows = 4;

// Vectors of a register tile: 4 x 3 accumulators, 3 vectors of x and one weight in 16 registers; 4 x 6 and 6 in the 32 of AVX-512.
template <class V>
constexpr int kTileWidth = V::kLanes == 16 ? 6 : 3;

template <class V, int kVectors>
struct BandMany {
  using F32 = typename V::F32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kWidth = kVectors * kLanes;

  // acc[slots of 4 rows][kWidth] += S[4 rows, count columns] * panel; the weights of a column lie `height` apart from those of the next.
  __attribute__((noinline)) static void tile(const float* panel, const float* weights, int height, const uint8_t* indices, int count,
                                             bool first, float* const (&acc_rows)[kTileRows]) {
    F32 acc[kTileRows][kVectors];
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[r][v] = first ? V::zero() : V::load(acc_rows[r] + v * kLanes);
    for (int c = 0; c < count; ++c, weights += height) {
      const float* from = panel + indices[c] * kWidth;
      F32 x[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) x[v] = V::load(from + v * kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kTileRows; ++r) {
        const F32 w = V::set1(weights[r]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) acc[r][v] = V::fma(w, x[v], acc[r][v]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) V::store(acc_rows[r] + v * kLanes, acc[r][v]);
  }

  static void band(const float* x, int64_t k, const float* weights, int height, const uint8_t* indices, int count, float* acc,
                   int64_t row) {
    for (int sub = 0; sub < height; sub += kTileRows) {
      float* rows[kTileRows];
      for (int r = 0; r < kTileRows; ++r) {
        const int64_t at = row + sub + r;
        rows[r] = acc + (at / kLanes * kLanes + quad_of_row<kLanes>(at % kLanes)) * kWidth;
      }
      tile(x + k * kWidth, weights + sub, height, indices, count, k == 0, rows);
    }
  }
};

// P::kLanes weights, of a vector or a quad.
template <class V, class P>
inline typename P::F32 load_weights(const float* p) {
  return P::loadu(p);
}
template <class V, class P, class T>
inline typename P::F32 load_weights(const T* p) {
  if (P::kLanes == V::kLanes) return P::load(p);
  const auto quads = V::load_quad(p);
  typename P::F32 first;
  __builtin_memcpy(&first, &quads, sizeof(first));
  return first;
}

// P: a vector of as many lanes as a band has rows, or a part of these.
template <class V, class P, class T, int kTokens>
class BandFew {
 public:
  BandFew(const SpmmTile& t, int height) : t_(t), height_(height) {
    for (int i = 0; i < kTokens; ++i) token_[i] = (i < t.tokens ? i : t.tokens - 1) * t.weight->in_padded;
  }
  ~BandFew() {
    if (waits_) multiply<1>(&last_);
  }

  // The rows of a band from `row` on, P at a time, or twice P of one band or two.
  void band(int64_t row, int64_t k, const T* weights, const uint8_t* indices, int count) {
    for (int sub = 0; sub < height_; sub += P::kLanes) {
      const int64_t at = row + sub;
      float* acc = t_.acc + at / V::kLanes * kTokens * V::kLanes + at % V::kLanes;
      const Part part = {t_.x + k, k == 0, weights + sub, indices, count, acc};
      if (kTokens > 1 || (!two_chains<P::kLanes, T> && height_ == P::kLanes)) {
        multiply<1>(&part);
      } else if (waits_ && last_.acc != acc) {
        const Part both[2] = {last_, part};
        multiply<2>(both);
        waits_ = false;
      } else {
        if (waits_) multiply<1>(&last_);
        last_ = part;
        waits_ = true;
      }
    }
  }

 private:
  struct Part {
    const float* x;
    bool first;
    const T* weights;
    const uint8_t* indices;
    int count;
    float* acc;
  };

  // Not inlined: in the loop over all bands there would be no registers left for its pointers.
  template <int kParts>
  __attribute__((noinline)) void multiply(const Part* parts) const {
    typename P::F32 acc[kParts][kTokens];
    const float* x[kParts][kTokens];
    int common = parts[0].count;
#pragma GCC unroll 2
    for (int i = 0; i < kParts; ++i) {
      if (parts[i].count < common) common = parts[i].count;
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
        acc[i][t] = parts[i].first ? P::zero() : P::load(parts[i].acc + t * V::kLanes);
        x[i][t] = parts[i].x + token_[t];
      }
    }
    const int64_t height = height_;
    const T* ahead = parts[kParts - 1].weights;
    for (int64_t c = 0; c < common; ++c, ahead += kParts * height) {
      fetch_ahead<V>(ahead, kParts * P::kLanes * static_cast<int64_t>(sizeof(T)));
#pragma GCC unroll 2
      for (int i = 0; i < kParts; ++i) column(x[i], parts[i].weights + c * height, parts[i].indices[c], acc[i]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < kParts; ++i) {
      if (kParts > 1)
        for (int64_t c = common; c < parts[i].count; ++c) column(x[i], parts[i].weights + c * height, parts[i].indices[c], acc[i]);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) P::store(parts[i].acc + t * V::kLanes, acc[i][t]);
    }
  }

  static inline void column(const float* const (&x)[kTokens], const T* weights, int64_t index, typename P::F32 (&acc)[kTokens]) {
    const auto w = load_weights<V, P>(weights);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) acc[t] = P::fma(P::set1(x[t][index]), w, acc[t]);
  }

  const SpmmTile& t_;
  const int height_;
  int64_t token_[kTokens];  // where its row of x begins
  Part last_;               // waits for the next one
  bool waits_ = false;
};

// Calls visit(first row in the tile, first input, weights, indices, count) for each band of each k block.
template <class T, class F>
inline void for_each_band(const SpmmTile& t, F visit) {
  const PackedBands& s = *static_cast<const PackedBands*>(t.weight);
  const int64_t k_blocks = (s.in_padded + s.k_block - 1) / s.k_block;
  const int64_t column = s.blocks[t.first_row / s.row_block];
  const uint8_t* count = s.counts + t.first_row / s.height * k_blocks;
  const uint8_t* indices = s.indices + column;
  const T* values = static_cast<const T*>(s.values) + column * s.height;
  for (int64_t k = 0; k < s.in_padded; k += s.k_block) {
    for (int64_t row = 0; row < t.rows; row += s.height, ++count) {
      visit(row, k, values, indices, *count);
      indices += *count;
      values += *count * s.height;
    }
  }
}

template <class V, class T>
static void band_many(const SpmmTile& t, int vectors) {
  constexpr int kWidest = kTileWidth<V>;
  const int height = static_cast<const PackedBands*>(t.weight)->height;
  const auto band = vectors == 2 ? &BandMany<V, 2>::band : vectors == 4 ? &BandMany < V,
             kWidest < 4 ? 2 : 4 > ::band : &BandMany<V, kWidest>::band;
  for_each_band<T>(t, [&](int64_t row, int64_t k, const T* values, const uint8_t* indices, int count) {
    alignas(64) float room[kRoom<T, 16>];
    const float* weights = widened<V>(values, count * height, room);
    band(t.x, k, weights, height, indices, count, t.acc, row);
  });
}

template <class V, class P, class T, int kTokens>
static void few_of_bands(const SpmmTile& t, int height) {
  BandFew<V, P, T, kTokens> few(t, height);
  for_each_band<T>(
      t, [&](int64_t row, int64_t k, const T* weights, const uint8_t* indices, int count) { few.band(row, k, weights, indices, count); });
}

template <class V, class P, class T>
static void few_of_height(const SpmmTile& t, int height) {
  if (t.tokens == 1)
    few_of_bands<V, P, T, 1>(t, height);
  else if (t.tokens == 2)
    few_of_bands<V, P, T, 2>(t, height);
  else
    few_of_bands<V, P, T, 4>(t, height);
}

template <class V, class T>
static void band_few(const SpmmTile& t) {
  const int height = static_cast<const PackedBands*>(t.weight)->height;
  (height % V::kLanes == 0 ? &few_of_height<V, V, T> : &few_of_height<V, Portable<4>, T>)(t, height);
}

}  // namespace
}  // namespace sk

// Many tokens with int8 weights and int8 activations: a vector holds two kept inputs of L tokens as pairs of 16-bit integers, and one
// instruction multiplies them by a pair of weights and adds the two products.
//
//   pack    x -> panel [in_padded][W] of int16            once for all output rows (int8_panel.h)
//   load    acc [rows][W] of int32                        per k block; the panel of one k block stays in L1
//   widen   the weights of a row group to int16           per k block
//   expand  pair of weights -> broadcast, fields -> two panel rows, interleaved
//   fma     acc += pair of weights * pairs of inputs
//   store   acc; after the last k block as float32, times the scale of the token: what finish.h expects
//
// Floor: for 2L tokens and two kept weights two loads, two interleaving shuffles, two products and two additions; with four vector
// ports 1.5 cycles for 4L kept products, so 32 / 1.5 a cycle in AVX2, where a dense product with vpmaddubsw, vpmaddwd and vpaddd does at
// most 32. int8_pairs.h does without the shuffles at 2:4; where M is 8 a group has 28 pairs, which would leave L1.
#pragma once

#include "tile.h"

namespace sk {
namespace {

template <class V, int kM, int kN, int kVectors>
struct Int8ManyTokens {
  using I32 = typename V::I32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kPairs = kVectors / 2;  // of vectors
  static constexpr int kWidth = kVectors * kLanes;
  static constexpr int kBits = field_bits(kM);
  static constexpr int kFields = 32 / kBits;

  // Walks the groups of one k block; the panel row of a kept weight.
  struct Cursor {
    const int16_t* group;
    int seen, n;

    template <int kI>
    inline const int16_t* next(uint32_t fields) {
      const int16_t* x = group + ((fields >> (8 * kI)) & (kM - 1)) * kWidth;
      if (kN == 0 ? ++seen == n : (kI + 1) % (kN ? kN : 1) == 0) {
        seen = 0;
        group += kM * kWidth;
      }
      return x;
    }
  };

  static inline void multiply(const int16_t* a, const int16_t* b, const int16_t* weights, I32 (&acc)[kPairs][2]) {
    const auto w = V::splat_pair(weights);
#pragma GCC unroll 4
    for (int p = 0; p < kPairs; ++p) V::add_pairs(a + p * 2 * kLanes, b + p * 2 * kLanes, w, acc[p][0], acc[p][1]);
  }

  // One row of one k block.
  static inline void row(const int16_t* panel, const int16_t* weights, const uint32_t* fields, int64_t words, int n, bool first, bool last,
                         const float* scales, float* acc_row) {
    I32 acc[kPairs][2];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[v / 2][v % 2] = first ? V::zero_i32() : V::load_i32(acc_row + v * kLanes);
    Cursor at = {panel, 0, n};
    for (int64_t w = 0; w < words; ++w) {
      uint32_t word = fields[w * kLanes];
      for (int q = 0; q < kFields / 4; ++q, weights += kLanes * 4, word >>= kBits % 32) {
        const int16_t* a = at.template next<0>(word);
        const int16_t* b = at.template next<1>(word);
        multiply(a, b, weights, acc);
        a = at.template next<2>(word);
        b = at.template next<3>(word);
        multiply(a, b, weights + 2, acc);
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      if (last)
        V::store(acc_row + v * kLanes, V::to_float(acc[v / 2][v % 2]) * V::load(scales + v * kLanes));
      else
        V::store_i32(acc_row + v * kLanes, acc[v / 2][v % 2]);
    }
  }

  static void run(const SpmmTile& t) {
    const PackedNm& s = *static_cast<const PackedNm*>(t.weight);
    const auto* panel = reinterpret_cast<const int16_t*>(t.x);
    const int n = kN ? kN : s.n;
    const int64_t kept_row = s.in_padded / kM * n;
    const int8_t* values = static_cast<const int8_t*>(s.values) + t.first_row * kept_row;
    const uint32_t* fields = s.fields + t.first_row * (kept_row / kFields);
    for (int64_t k = 0; k < s.in_padded; k += s.k_block) {
      const int64_t inputs = k + s.k_block < s.in_padded ? s.k_block : s.in_padded - k;
      const int64_t words = inputs / kM * n / kFields, kept = words * kFields * kLanes;
      for (int64_t g = 0; g < t.rows; g += kLanes, values += kept, fields += words * kLanes) {
        alignas(64) int16_t room[kMostKept * kLanes];
        for (int64_t i = 0; i < kept; i += 2 * kLanes) V::widen_bytes(values + i, room + i);
        for (int64_t r = 0; r < kLanes; ++r)
          row(panel + k * kWidth, room + r * 4, fields + r, words, n, k == 0, k + inputs == s.in_padded, t.x_scale,
              t.acc + (g + quad_of_row<kLanes>(r)) * kWidth);
      }
    }
  }
};

// Panels are as wide as the kernel likes best, or 6, 4 or 2 vectors.
template <class V, int kM, int kN, int kWidest>
static void int8_many_tokens(const SpmmTile& tile, int vectors) {
  if (vectors == kWidest)
    Int8ManyTokens<V, kM, kN, kWidest>::run(tile);
  else if (vectors == 6)
    Int8ManyTokens<V, kM, kN, 6>::run(tile);
  else if (vectors == 4)
    Int8ManyTokens<V, kM, kN, 4>::run(tile);
  else
    Int8ManyTokens<V, kM, kN, 2>::run(tile);
}

}  // namespace
}  // namespace sk

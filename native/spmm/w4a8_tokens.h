// int4 weights of 2:4 with int8 activations, for one to four tokens at a time, whatever their number: outputs in lanes, as in
// int8_few_tokens.h; x is bytes without a sign, q + 128, so that one instruction multiplies it with weights that have one.
//
//   load    a word of nibbles for 16 inputs, one of fields for 32, levels for each scale
//   expand  nibbles -> bytes less their zero; fields -> bytes that name inputs, a window of 16 inputs -> the four inputs of each output
//   fma     16-bit sums of the products, less 128 times those of the weights; as float32 times the two scales: acc += ..
//
// Sums of 16 bits hold 32 inputs: of each 32-bit lane 8 products of at most 255 * 15.
//
// Floor: the bytes of the packed weight, 14 for 32 inputs of an output in groups of 32. Per vector of four kept weights of L outputs an
// and, half a shift and a subtraction for the weights, an and, an or and three quarters of a shift for their places, a shuffle, the
// products, a sum of these and one of the weights: nine operations for 3.5 L bytes, and three for each further token.
#pragma once

#include "tile.h"

namespace sk {
namespace {

template <class V, int kTokens, bool kZeros>
struct W4A8Tokens {
  using F32 = typename V::F32;
  using U32 = typename V::U32;
  using Bytes = typename V::Bytes;
  using Shorts = typename V::Shorts;
  static constexpr int kLanes = V::kLanes;

  // The sums of the inputs that share a scale.
  struct Sums {
    Shorts products[kTokens];
    Bytes weights;

    inline void clear() {
      weights = V::set1_u32(0);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) products[t] = V::zero_shorts();
    }
  };

  // Four kept weights of each output: those of inputs 8 * kQuad .. 8 * kQuad + 7 of the windows.
  template <int kQuad>
  static inline void quad(const Bytes (&window)[kTokens], Bytes nibbles, U32 fields, Bytes zero, Sums& sums) {
    const Bytes weights = V::sub_bytes(V::and_u32(nibbles, V::set1_u32(0x0F0F0F0F)), zero);
    const U32 index = V::or_u32(V::and_u32(fields, V::set1_u32(0x03030303)), V::set1_u32(kQuad == 0 ? 0x04040000 : 0x0C0C0808));
    sums.weights = V::add_bytes(sums.weights, weights);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) sums.products[t] = V::add_shorts(sums.products[t], V::dot_pairs(V::pick(window[t], index), weights));
  }

  // 16 inputs.
  static inline void unit(const Int8Unit* x, const int64_t (&token)[kTokens], U32 nibbles, U32 fields, Bytes zero, Sums& sums) {
    Bytes window[kTokens];
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) window[t] = V::load_window(x[token[t]].q);
    quad<0>(window, nibbles, fields, zero, sums);
    quad<1>(window, V::template shift_right<4>(nibbles), V::template shift_right<2>(fields), zero, sums);
  }

  static inline Bytes zero_of(const PackedNm::Levels& s, int64_t level) {
    if constexpr (kZeros) return V::template splat_bytes<0>(s.zeros + level);
    return V::set1_u32(0x08080808);
  }

  static inline void finish(const Int8Unit* x, const int64_t (&token)[kTokens], const PackedNm::Levels& s, int64_t level, const Sums& sums,
                            F32 (&acc)[kTokens]) {
    const Shorts offset = V::dot_pairs(V::set1_u32(0x80808080), sums.weights);
    const F32 scale = V::load(s.scales + level);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      const F32 sum = V::to_float(V::sum_pairs(V::sub_shorts(sums.products[t], offset)));
      acc[t] = V::fma(sum, scale * V::set1(x[token[t]].scale[0]), acc[t]);
    }
  }

  // 32 inputs of a row group.
  static inline void step(const Int8Unit* x, const int64_t (&token)[kTokens], const uint32_t* words, U32 fields, const PackedNm::Levels& s,
                          int64_t level, F32 (&acc)[kTokens]) {
    fetch_ahead<V>(words, 2 * kLanes * 4);
    Sums sums;
    sums.clear();
    unit(x, token, V::load_u32(words), fields, zero_of(s, level), sums);
    if (s.inputs == 16) {
      finish(x, token, s, level, sums, acc);
      sums.clear();
      level += kLanes;
    }
    unit(x + 1, token, V::load_u32(words + kLanes), V::template shift_right<4>(fields), zero_of(s, level), sums);
    finish(x + 1, token, s, level, sums, acc);
  }

  static void run(const SpmmTile& t) {
    const PackedNm& s = *static_cast<const PackedNm*>(t.weight);
    const auto* x = reinterpret_cast<const Int8Unit*>(t.x);
    const uint32_t* words = static_cast<const uint32_t*>(s.values) + t.first_row * (s.in_padded / 16);
    const uint32_t* fields = s.fields + t.first_row * (s.in_padded / 32);
    int64_t level = t.first_row * ((s.in_padded + s.levels.inputs - 1) / s.levels.inputs);
    int64_t token[kTokens];  // where its row of x begins
    for (int i = 0; i < kTokens; ++i) token[i] = (i < t.tokens ? i : t.tokens - 1) * (s.in_padded / 16);
    const int shift = __builtin_ctzll(static_cast<uint64_t>(s.levels.inputs));
    for (int64_t k = 0; k < s.in_padded; k += s.k_block) {
      const int64_t inputs = k + s.k_block < s.in_padded ? s.k_block : s.in_padded - k;
      const int64_t levels = ((inputs + s.levels.inputs - 1) >> shift) * kLanes;  // of a row group
      for (int64_t r = 0; r < t.rows; r += kLanes, level += levels) {
        F32 acc[kTokens];
#pragma GCC unroll 4
        for (int i = 0; i < kTokens; ++i) acc[i] = k == 0 ? V::zero() : V::load(t.acc + r * kTokens + i * kLanes);
        const Int8Unit* from = x;
        for (int64_t i = 0; i < inputs; i += 32, from += 2, words += 2 * kLanes, fields += kLanes)
          step(from, token, words, V::load_u32(fields), s.levels, level + (i >> shift) * kLanes, acc);
#pragma GCC unroll 4
        for (int i = 0; i < kTokens; ++i) V::store(t.acc + r * kTokens + i * kLanes, acc[i]);
      }
      x += inputs / 16;
    }
  }
};

template <class V, int kTokens>
static void w4a8_tokens(const SpmmTile& tile) {
  if (static_cast<const PackedNm*>(tile.weight)->levels.zeros)
    W4A8Tokens<V, kTokens, true>::run(tile);
  else
    W4A8Tokens<V, kTokens, false>::run(tile);
}

// One, two or four tokens at once; the fourth of three is the third once more.
template <class V>
static void w4a8_tokens(const SpmmTile& tile) {
  if (tile.tokens == 1)
    w4a8_tokens<V, 1>(tile);
  else if (tile.tokens == 2)
    w4a8_tokens<V, 2>(tile);
  else
    w4a8_tokens<V, 4>(tile);
}

}  // namespace
}  // namespace sk

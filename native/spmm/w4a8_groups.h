// int4 groups of consecutive inputs of a row, some of them dropped, with int8 activations: dot products along the inputs, in units of 16. A
// row stays in L1 while the tokens take turns.
//
//   load    the levels of L units; where these lie, x and its scale
//   expand  words of eight nibbles -> bytes
//   fma     sums of four products of 32 bits, less the zero times those of x; as float32 times the two scales: acc += ..
//   store   the sums of L rows at once
//
// Floor: the bytes of the packed weight, 12 for 16 weights in groups of 16. Per L / 4 units an and and half a shift for the weights, x and
// its scale, twice products of pairs, their difference, sums of pairs, float32, the scale of the weight, a product of the scales and an
// FMA: about twelve operations for 3 L bytes. From the sums of pairs on once for two units in groups of 32, for four in larger ones.
#pragma once

#include "tile.h"

namespace sk {
namespace {

// Groups have 16 << kShift weights.
template <class V, int kShift, bool kZeros>
struct W4A8Groups {
  using F32 = typename V::F32;
  using U32 = typename V::U32;
  using Bytes = typename V::Bytes;
  using Shorts = typename V::Shorts;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kPieces = V::kPieces;

  // Where unit 4 * p + kI of a step, which begins with unit `step` of the row, meets x.
  template <int kI>
  static inline const Int8Unit& inputs(const Int8Unit* x, const uint16_t* columns, int64_t step, int p) {
    const int64_t unit = step + 4 * p + kI;
    return x[(static_cast<int64_t>(columns[unit >> kShift]) << kShift) + (unit & ((1 << kShift) - 1))];
  }

  // Sums of two products of the units 4 * p + kI. zeros: in each lane the bits are four bytes of it.
  template <int kI>
  static inline Shorts products(const Int8Unit* x, const uint16_t* columns, int64_t step, U32 word, F32 zeros) {
    const void* q[kPieces];
#pragma GCC unroll 4
    for (int p = 0; p < kPieces; ++p) q[p] = inputs<kI>(x, columns, step, p).q;
    const Bytes weights = V::and_u32(kI % 2 ? V::template shift_right<4>(word) : word, V::set1_u32(0x0F0F0F0F));
    const Bytes zero = kZeros ? V::bits_of(V::template splat_in_pieces<kI>(zeros)) : V::set1_u32(0x08080808);
    const Bytes values = V::load_pieces(q);
    return V::sub_shorts(V::dot_pairs(weights, values), V::dot_pairs(zero, values));
  }

  // acc + the sums of units that have the scales of unit kI.
  template <int kI>
  static inline F32 finish(const Int8Unit* x, const uint16_t* columns, int64_t step, F32 scales, Shorts sums, F32 acc) {
    const void* x_scales[kPieces];
#pragma GCC unroll 4
    for (int p = 0; p < kPieces; ++p) x_scales[p] = inputs<kI>(x, columns, step, p).scale;
    const F32 scale = V::template splat_in_pieces<kI>(scales) * V::float_of(V::load_pieces(x_scales));
    return V::fma(V::to_float(V::sum_pairs(sums)), scale, acc);
  }

  // The lanes of the result add up to the sum of a row. Units of a piece that belong to one group share an end: 16 bits hold the sums of
  // four, 8 products of at most 15 * 127.
  static inline F32 row(const PackedGroups& s, int64_t first, int64_t groups, const Int8Unit* x) {
    const uint16_t* columns = s.columns + first;
    const uint32_t* words = s.words + first * (2 << kShift);
    F32 acc[2] = {V::zero(), V::zero()};
    for (int64_t step = 0; step < groups << kShift; step += kLanes, words += 2 * kLanes) {
      const int64_t group = first + (step >> kShift);
      const F32 scales = V::template load_each<kShift>(s.scales + group);
      F32 zeros = V::zero();
      if constexpr (kZeros) zeros = V::float_of(V::template splat_bytes<kShift>(s.zeros + group));
      fetch_ahead<V>(words, 2 * kLanes * 4);
      const U32 lower = V::load_u32(words), upper = V::load_u32(words + kLanes);
      const Shorts a = products<0>(x, columns, step, lower, zeros), b = products<1>(x, columns, step, lower, zeros);
      const Shorts c = products<2>(x, columns, step, upper, zeros), d = products<3>(x, columns, step, upper, zeros);
      if constexpr (kShift == 0) {
        acc[0] = finish<0>(x, columns, step, scales, a, acc[0]);
        acc[1] = finish<1>(x, columns, step, scales, b, acc[1]);
        acc[0] = finish<2>(x, columns, step, scales, c, acc[0]);
        acc[1] = finish<3>(x, columns, step, scales, d, acc[1]);
      } else if constexpr (kShift == 1) {
        acc[0] = finish<0>(x, columns, step, scales, V::add_shorts(a, b), acc[0]);
        acc[1] = finish<2>(x, columns, step, scales, V::add_shorts(c, d), acc[1]);
      } else {
        acc[0] = finish<0>(x, columns, step, scales, V::add_shorts(V::add_shorts(a, b), V::add_shorts(c, d)), acc[0]);
      }
    }
    return acc[0] + acc[1];
  }

  static void run(const SpmmTile& tile) {
    const PackedGroups& s = *static_cast<const PackedGroups*>(tile.weight);
    const auto* x = reinterpret_cast<const Int8Unit*>(tile.x);
    const int at_once = few_at_once(tile.tokens);
    for (int64_t r = 0; r < tile.rows; r += kLanes) {
      alignas(64) float sums[4][kLanes][kLanes];
      for (int64_t i = 0; i < kLanes; ++i) {
        const int64_t* rows = s.rows + tile.first_row + r + i;
        for (int64_t t = 0; t < tile.tokens; ++t) V::store(sums[t][i], row(s, rows[0], rows[1] - rows[0], x + t * (s.in_padded / 16)));
      }
      for (int64_t t = 0; t < tile.tokens; ++t) {
        F32 lanes[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) lanes[i] = V::load(sums[t][i]);
        V::store(tile.acc + r * at_once + t * kLanes, V::sums(lanes));
      }
    }
  }
};

template <class V, int kShift>
static void w4a8_groups(const SpmmTile& tile) {
  if (static_cast<const PackedGroups*>(tile.weight)->zeros)
    W4A8Groups<V, kShift, true>::run(tile);
  else
    W4A8Groups<V, kShift, false>::run(tile);
}

template <class V>
static void w4a8_groups(const SpmmTile& tile) {
  switch (static_cast<const PackedGroups*>(tile.weight)->group) {
    case 16: return w4a8_groups<V, 0>(tile);
    case 32: return w4a8_groups<V, 1>(tile);
    case 64: return w4a8_groups<V, 2>(tile);
    default: return w4a8_groups<V, 3>(tile);
  }
}

}  // namespace
}  // namespace sk

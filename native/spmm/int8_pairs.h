// Many tokens, int8 weights of 2:4 and int8 activations: as int8_many_tokens.h, but the panel holds all six pairs that can be kept of each
// group of four inputs, so that the pair of a row is one memory operand.
//
//   pack    x -> panel [groups][6 pairs][W] of two int16    once for all output rows
//   load    acc [rows][W] of int32                          per k block; the panel of one k block stays in L1
//   widen   weights to int16, fields to the offsets of pairs  per k block
//   expand  pair of weights -> broadcast
//   fma     acc += pair of weights * pair of inputs
//   store   acc; after the last k block as float32, times the scale of the token: what finish.h expects
//
// Floor: for two kept weights and L tokens one product, which loads its pair, and one addition: at two products a cycle 4L kept products,
// twice what FMAs of float32 do with as many loads for half of the products.
#pragma once

#include "int8_panel.h"
#include "tile.h"

namespace sk {
namespace {

constexpr int kPairsOfFour = 6;
// Widest panel: 64 tokens. With more, the pairs of a k block do not stay in L1.
template <class V>
constexpr int kMostPairVectors = V::kLanes < 8 ? 8 : 64 / V::kLanes;

// Four inputs of L tokens -> their six pairs. Pair i < j is number i + 2j - 2, less 1 from (0, 2) on.
template <class V>
static inline void store_pairs(const float (*inputs)[V::kLanes], typename V::F32 inverse, uint32_t* panel, int64_t width) {
  typename V::U32 lower[4], upper[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const auto steps = V::to_steps_u32(to_steps<V>(V::load(inputs[i]), inverse));
    lower[i] = V::and_u32(steps, V::set1_u32(0xFFFF));
    upper[i] = V::template shift_left<16>(steps);
  }
#pragma GCC unroll 4
  for (int b = 1; b < 4; ++b)
#pragma GCC unroll 4
    for (int a = 0; a < b; ++a, panel += width) V::storeu_u32(panel, V::or_u32(upper[b], lower[a]));
}

// x [tokens, in] -> panel, k range [k0, k1) of multiples of L; missing tokens and inputs become 0.
template <class V, class X>
static void quantise_pairs(const void* x_data, const float* scales, int64_t tokens, int64_t in, int64_t k0, int64_t k1, int vectors,
                           int16_t* panel_data) {
  constexpr int kLanes = V::kLanes;
  const int64_t width = static_cast<int64_t>(vectors) * kLanes;
  auto* panel = reinterpret_cast<uint32_t*>(panel_data);
  alignas(64) float inverse[kMostPairVectors<V> * kLanes];
  for (int64_t i = 0; i < width; ++i) inverse[i] = i < tokens ? 1 / scales[i] : 0;
  for (int64_t go = k0; go < k1; go += kGo) {
    const int64_t end = go + kGo < k1 ? go + kGo : k1;
    for (int64_t first = 0; first < width; first += kLanes) {
      const X* x = static_cast<const X*>(x_data) + first * in;
      for (int64_t k = go; k < end; k += kLanes) {
        typename V::F32 inputs[kLanes];
        load_turned<V>(x + k, in, tokens - first, in - k, inputs);
        alignas(64) float turned[kLanes][kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) V::store(turned[i], inputs[i]);
        for (int i = 0; i < kLanes; i += 4)
          store_pairs<V>(turned + i, V::load(inverse + first), panel + (k + i) / 4 * kPairsOfFour * width + first, width);
      }
    }
  }
}

template <class V, int kVectors>
struct Int8Pairs {
  using I32 = typename V::I32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kWidth = kVectors * kLanes;
  static constexpr int kGroup = 2 * kPairsOfFour * kWidth;  // integers of four inputs
  static constexpr int kChains = kLanes == 16 ? 2 : 1;      // of sums: VNNI takes 5 cycles for each, and AVX-512 has the registers
  static constexpr int kWidthBits = kWidth == 8 ? 4 : kWidth == 16 ? 5 : kWidth == 32 ? 6 : 7;  // of 2 * kWidth
  static_assert(2 * kWidth == 1 << kWidthBits, "a power of two");

  // Of each quad: two pairs of weights, and where their inputs lie: integers from the pairs of the first group of the quad.
  struct Room {
    alignas(64) int16_t weights[kMostKept * kLanes];
    alignas(64) uint16_t offsets[kMostKept / 2 * kLanes];
  };

  // The four bytes i, j, i, j of a quad: i + 2j of both pairs; their numbers; times 2 * kWidth, which is a power of two, and the second in
  // the second group. What is multiplied is below 16 bits: no carry reaches the other half.
  static inline void expand(const int8_t* values, const uint32_t* fields, int64_t words, Room& room) {
    for (int64_t i = 0; i < words * 16 * kLanes; i += 2 * kLanes) V::widen_bytes(values + i, room.weights + i);
    auto* to = reinterpret_cast<uint32_t*>(room.offsets);
    for (int64_t w = 0; w < words; ++w) {
      auto word = V::load_u32(fields + w * kLanes);
      for (int q = 0; q < 4; ++q, to += kLanes, word = V::template shift_right<2>(word)) {
        const auto index = V::and_u32(word, V::set1_u32(0x03030303));
        const auto sum = V::and_u32(V::add_u32(index, V::template shift_right<7>(index)), V::set1_u32(0x000F000F));
        const auto later = V::and_u32(V::template shift_right<3>(V::add_u32(sum, V::set1_u32(0x00040004))), V::set1_u32(0x00010001));
        const auto number = V::sub_u32(V::sub_u32(sum, V::set1_u32(0x00020002)), later);
        V::storeu_u32(to, V::template shift_left<kWidthBits>(V::add_u32(number, V::set1_u32(kPairsOfFour << 16))));
      }
    }
  }

  // One row of one k block.
  static inline void row(const int16_t* panel, const int16_t* weights, const uint16_t* offsets, int64_t words, bool first, bool last,
                         const float* scales, float* acc_row) {
    I32 acc[kChains][kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      acc[kChains - 1][v] = V::zero_i32();
      acc[0][v] = first ? V::zero_i32() : V::load_i32(acc_row + v * kLanes);
    }
    for (int64_t w = 0; w < words; ++w, weights += 16 * kLanes, offsets += 8 * kLanes, panel += 8 * kGroup) {
#pragma GCC unroll 4
      for (int quad = 0; quad < 4; ++quad) {
        const int16_t* groups = panel + quad * 2 * kGroup;
        const int16_t *x = groups + offsets[quad * 2 * kLanes], *next_x = groups + offsets[quad * 2 * kLanes + 1];
        typename V::Pair weight, next_weight;
        V::splat_pairs(weights + quad * 4 * kLanes, weight, next_weight);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) V::add_pair(x + v * 2 * kLanes, weight, acc[0][v]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) V::add_pair(next_x + v * 2 * kLanes, next_weight, acc[kChains - 1][v]);
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const I32 sum = kChains == 1 ? acc[0][v] : V::add_i32(acc[0][v], acc[1 % kChains][v]);
      if (last)
        V::store(acc_row + v * kLanes, V::to_float(sum) * V::load(scales + v * kLanes));
      else
        V::store_i32(acc_row + v * kLanes, sum);
    }
  }

  static void run(const SpmmTile& t) {
    const PackedNm& s = *static_cast<const PackedNm*>(t.weight);
    const auto* panel = reinterpret_cast<const int16_t*>(t.x);
    const int8_t* values = static_cast<const int8_t*>(s.values) + t.first_row * (s.in_padded / 2);
    const uint32_t* fields = s.fields + t.first_row * (s.in_padded / 32);
    const int64_t fetch = (s.k_block / 4 * kGroup * kLanes / t.rows + 31) / 32 * 32;  // integers for each row group
    for (int64_t k = 0; k < s.in_padded; k += s.k_block) {
      const int64_t inputs = k + s.k_block < s.in_padded ? s.k_block : s.in_padded - k;
      const int16_t* next_panel = panel + (k + inputs) / 4 * kGroup;  // is on its way from L3 while this one is used
      for (int64_t g = 0; g < t.rows; g += kLanes, values += inputs / 2 * kLanes, fields += inputs / 32 * kLanes, next_panel += fetch) {
        for (int64_t i = 0; i < fetch; i += 32) V::prefetch(next_panel + i);
        Room room;
        expand(values, fields, inputs / 32, room);
        for (int64_t r = 0; r < kLanes; ++r)
          row(panel + k / 4 * kGroup, room.weights + r * 4, room.offsets + r * 2, inputs / 32, k == 0, k + inputs == s.in_padded, t.x_scale,
              t.acc + (g + quad_of_row<kLanes>(r)) * kWidth);
      }
    }
  }
};

// Panels as wide as they may be, or of 4 or 2 vectors.
template <class V>
static void int8_pairs(const SpmmTile& tile, int vectors) {
  if (vectors == kMostPairVectors<V>)
    Int8Pairs<V, kMostPairVectors<V>>::run(tile);
  else if (vectors == 4)
    Int8Pairs<V, 4>::run(tile);
  else
    Int8Pairs<V, 2>::run(tile);
}

}  // namespace
}  // namespace sk

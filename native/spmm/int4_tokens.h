// int4 weights of 2:4: as few_tokens.h and many_tokens.h, whose sums these are, in the same order.
//
//   few    expand  words of eight nibbles -> one vector per kept weight, in lanes already; fields -> lane indices, group of x -> Table
//          fma     acc += table.pick(index) * w
//   many   widen   the weights of a row group to float32, then as for any other type
//
// Floor of few: per vector of kept weights a shift, an and, an or and an FMA for the weight, a permute and a shift for its input, and the
// FMA: seven operations, of which two are shifts and one a permute; its bytes, 3.5 bits of a dense weight in groups of 32, are less. The
// FMAs of a row group wait for each other, so that row groups take turns.
#pragma once

#include "many_tokens.h"
#include "nibbles.h"

namespace sk {
namespace {

template <class V, int kTokens>
struct Int4FewTokens {
  using F32 = typename V::F32;
  using U32 = typename V::U32;
  static constexpr int kLanes = V::kLanes;

  // Row groups that are worked on at once, and those that take turns.
  static constexpr int kGroups = kTokens == 1 ? 2 : 1, kTurns = 4;

  // Kept weights kJ and kJ + 1 of words: the two of a group of four inputs.
  template <int kJ, int kCount>
  static inline void pair(const float* x, const int64_t (&token)[kTokens], const U32 (&word)[kCount], const U32 (&fields)[kCount],
                          const Levels<V> (&levels)[kCount], F32 (&acc)[kCount][kTokens]) {
    typename V::template Table<4> table[kTokens];
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) table[t] = V::template Table<4>::load(x + 2 * kJ + token[t]);
#pragma GCC unroll 2
    for (int g = 0; g < kCount; ++g) {
      const F32 weight = levels[g].template weight<kJ>(word[g]);
      const U32 index = V::template shift_right<2 * kJ>(fields[g]);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) acc[g][t] = V::fma(table[t].pick(index), weight, acc[g][t]);
    }
#pragma GCC unroll 2
    for (int g = 0; g < kCount; ++g) {
      const F32 weight = levels[g].template weight<kJ + 1>(word[g]);
      const U32 index = V::template shift_right<2 * kJ + 2>(fields[g]);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) acc[g][t] = V::fma(table[t].pick(index), weight, acc[g][t]);
    }
  }

  // Where a row group goes on: one word of nibbles for 16 inputs, one of fields for 32.
  struct At {
    const uint32_t *words, *fields;
    int64_t level;
    float* acc;
  };

  // 32 inputs of some row groups.
  template <int kCount>
  static inline void step(const float* x, const int64_t (&token)[kTokens], const PackedNm::Levels& s, const At (&at)[kCount]) {
    F32 acc[kCount][kTokens];
    U32 word[kCount], fields[kCount];
    Levels<V> levels[kCount];
#pragma GCC unroll 2
    for (int g = 0; g < kCount; ++g) {
      fields[g] = V::load_u32(at[g].fields);
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) acc[g][t] = V::load(at[g].acc + t * kLanes);
    }
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half, x += 16) {
#pragma GCC unroll 2
      for (int g = 0; g < kCount; ++g) {
        word[g] = V::load_u32(at[g].words + half * kLanes);
        if (half) fields[g] = V::template shift_right<16>(fields[g]);
        if (half && s.inputs > 16) continue;
        const int64_t level = at[g].level + half * kLanes;
        levels[g] = Levels<V>::load(s.scales + level, s.zeros ? s.zeros + level : nullptr);
      }
      pair<0>(x, token, word, fields, levels, acc);
      pair<2>(x, token, word, fields, levels, acc);
      pair<4>(x, token, word, fields, levels, acc);
      pair<6>(x, token, word, fields, levels, acc);
    }
#pragma GCC unroll 2
    for (int g = 0; g < kCount; ++g)
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) V::store(at[g].acc + t * kLanes, acc[g][t]);
  }

  static void run(const SpmmTile& t) {
    const PackedNm& s = *static_cast<const PackedNm*>(t.weight);
    const uint32_t* words = static_cast<const uint32_t*>(s.values) + t.first_row * (s.in_padded / 16);
    const uint32_t* fields = s.fields + t.first_row * (s.in_padded / 32);
    int64_t level = t.first_row * ((s.in_padded + s.levels.inputs - 1) / s.levels.inputs);
    int64_t token[kTokens];  // where its row of x begins
    for (int i = 0; i < kTokens; ++i) token[i] = (i < t.tokens ? i : t.tokens - 1) * s.in_padded;
    const int shift = __builtin_ctzll(static_cast<uint64_t>(s.levels.inputs));
    for (int64_t i = 0; i < t.rows * kTokens; i += kLanes) V::store(t.acc + i, V::zero());
    for (int64_t k = 0; k < s.in_padded; k += s.k_block) {
      const int64_t inputs = k + s.k_block < s.in_padded ? s.k_block : s.in_padded - k;
      const int64_t levels = (inputs + s.levels.inputs - 1) / s.levels.inputs * kLanes;  // of a row group
      for (int64_t first = 0; first < t.rows; first += kTurns * kLanes) {
        const int64_t groups = (t.rows - first < kTurns * kLanes ? t.rows - first : kTurns * kLanes) / kLanes;
        for (int64_t i = 0; i < inputs; i += 32) {
          const auto at = [&](int64_t g) {
            return At{words + (g * inputs + i) / 16 * kLanes, fields + (g * inputs + i) / 32 * kLanes,
                      level + g * levels + (i >> shift) * kLanes, t.acc + (first + g * kLanes) * kTokens};
          };
          int64_t g = 0;
          for (; kGroups == 2 && g + 1 < groups; g += 2) step<2>(t.x + k + i, token, s.levels, {at(g), at(g + 1)});
          for (; g < groups; ++g) step<1>(t.x + k + i, token, s.levels, {at(g)});
        }
        words += groups * inputs / 16 * kLanes;
        fields += groups * inputs / 32 * kLanes;
        level += groups * levels;
      }
    }
  }
};

template <class V>
static void int4_few_tokens(const SpmmTile& tile) {
  if (tile.tokens == 1)
    Int4FewTokens<V, 1>::run(tile);
  else if (tile.tokens == 2)
    Int4FewTokens<V, 2>::run(tile);
  else
    Int4FewTokens<V, 4>::run(tile);
}

// Words of a row group and k block to float32, in quads.
template <class V>
__attribute__((noinline)) static void widen_words(const uint32_t* words, int64_t count, const PackedNm::Levels& s, int64_t level,
                                                  float* room) {
  constexpr int kLanes = V::kLanes;
  const int shift = __builtin_ctzll(static_cast<uint64_t>(s.inputs)) - 4;
  for (int64_t w = 0; w < count; ++w, words += kLanes) {
    const int64_t at = level + (w >> shift) * kLanes;
    const auto levels = Levels<V>::load(s.scales + at, s.zeros ? s.zeros + at : nullptr);
    const auto word = V::load_u32(words);
    typename V::F32 quads[2][4] = {{levels.template weight<0>(word), levels.template weight<1>(word), levels.template weight<2>(word),
                                    levels.template weight<3>(word)},
                                   {levels.template weight<4>(word), levels.template weight<5>(word), levels.template weight<6>(word),
                                    levels.template weight<7>(word)}};
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      V::transpose_quads(quads[half]);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i, room += kLanes) V::store(room, quads[half][i]);
    }
  }
}

template <class V, int kVectors>
static void int4_many(const SpmmTile& t) {
  constexpr int kLanes = V::kLanes;
  const PackedNm& s = *static_cast<const PackedNm*>(t.weight);
  const uint32_t* words = static_cast<const uint32_t*>(s.values) + t.first_row * (s.in_padded / 16);
  int64_t level = t.first_row * ((s.in_padded + s.levels.inputs - 1) / s.levels.inputs);
  alignas(64) float room[kMostKept * kLanes];
  ManyTokens<V, 4, 2, kVectors>::each_row_group(t, 2, [&](int64_t inputs) {
    widen_words<V>(words, inputs / 16, s.levels, level, room);
    words += inputs / 16 * kLanes;
    level += (inputs + s.levels.inputs - 1) / s.levels.inputs * kLanes;
    return room;
  });
}

template <class V, int kWidest>
static void int4_many_tokens(const SpmmTile& tile, int vectors) {
  if (vectors == kWidest)
    int4_many<V, kWidest>(tile);
  else if (vectors == 4)
    int4_many<V, 4>(tile);
  else
    int4_many<V, 2>(tile);
}

}  // namespace
}  // namespace sk

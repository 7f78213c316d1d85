// int4 groups of consecutive inputs of a row, some of them dropped: dot products along the inputs, for one to four tokens at a time,
// whatever their number.
//
//   load    the levels of some groups -> scales and offsets
//   expand  words of eight nibbles -> eight vectors of weights, in order
//   fma     acc[16 partial sums][tokens] += w * x where the group lies
//   store   the sums of L rows at once
//
// Partial sum i is of the inputs i, i + 16 ..: the same on every ISA. For one token their FMAs wait for each other: two rows go side by
// side.
//
// Floor: per 16 weights of eight lanes two times a shift, an and, an or and an FMA, and two FMAs for each token, which load x: for one
// token 10 operations at four a cycle. Their 12 bytes (8 of nibbles, 2 of the scale, 2 of the column in groups of 16) take as long from
// memory.
#pragma once

#include "nibbles.h"
#include "tile.h"

namespace sk {
namespace {

template <class V, int kTokens>
struct Int4Groups {
  using F32 = typename V::F32;
  using U32 = typename V::U32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kParts = 16 / kLanes;     // vectors of the 16 partial sums, and of 16 inputs
  static constexpr int kWordUnits = kLanes / 2;  // units of 16 weights in a vector of words
  static constexpr int kRows = kTokens == 1 ? 2 : 1;
  static constexpr int kChunk = 256;  // units whose levels are made floats at a time

  // Some units of a row: where they lie and their levels.
  struct Chunk {
    alignas(64) float scale[kChunk + kLanes], offset[kChunk + kLanes];
    int32_t input[kChunk];
    const uint32_t* words;
    int64_t units;

    // From a group on; a group has 1 << shift units.
    inline void load(const PackedGroups& s, int64_t group, int64_t groups, int shift) {
      words = s.words + group * (s.group / 8);
      units = groups << shift;
      alignas(64) float room[2][kChunk + kLanes];
      float *scales = shift ? room[0] : scale, *offsets = shift ? room[1] : offset;
      for (int64_t i = 0; i < groups; i += kLanes) {
        const auto levels = Levels<V>::load(s.scales + group + i, s.zeros ? s.zeros + group + i : nullptr);
        V::store(scales + i, levels.scale);
        V::store(offsets + i, levels.offset);
      }
      const uint16_t* columns = s.columns + group;
      if (shift == 0)
        for (int64_t u = 0; u < units; ++u) input[u] = columns[u] * 16;
      else
        for (int64_t u = 0; u < units; ++u) {
          const int64_t g = u >> shift;
          scale[u] = scales[g], offset[u] = offsets[g];
          input[u] = static_cast<int32_t>((columns[g] - g) * (int64_t{1} << shift) + u) * 16;
        }
    }
  };
  using Sums = F32[kRows][kParts][kTokens];

  template <int kUnit, int kPart>
  static inline void part(const float* x, const int64_t (&token)[kTokens], U32 word, const Levels<V>& levels, F32 (&acc)[kParts][kTokens]) {
    const F32 w = levels.template weight<kUnit * kParts + kPart>(word);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) acc[kPart][t] = V::fma(w, V::load(x + token[t] + kPart * kLanes), acc[kPart][t]);
    if constexpr (kPart + 1 < kParts) part<kUnit, kPart + 1>(x, token, word, levels, acc);
  }

  // Unit kUnit of a vector of words of each of the rows [kFirst, kEnd), and those behind it; `number` counts the units of the chunk.
  template <int kUnit, int kFirst, int kEnd>
  static inline void units(const float* x, const int64_t (&token)[kTokens], const U32 (&word)[kRows], const Chunk (&chunks)[kRows],
                           int64_t number, Sums& acc) {
#pragma GCC unroll 2
    for (int r = kFirst; r < kEnd; ++r) {
      const Chunk& c = chunks[r];
      part<kUnit, 0>(x + c.input[number], token, word[r], {V::set1(c.scale[number]), V::set1(c.offset[number])}, acc[r]);
    }
    if constexpr (kUnit + 1 < kWordUnits) units<kUnit + 1, kFirst, kEnd>(x, token, word, chunks, number + 1, acc);
  }

  // Units [from, to) of the rows [kFirst, kEnd).
  template <int kFirst, int kEnd>
  static inline void range(const float* x, const int64_t (&token)[kTokens], const Chunk (&chunks)[kRows], int64_t from, int64_t to,
                           Sums& acc) {
    for (int64_t number = from; number < to; number += kWordUnits) {
      U32 word[kRows];
#pragma GCC unroll 2
      for (int r = kFirst; r < kEnd; ++r) word[r] = V::load_u32(chunks[r].words + number * 2);
      units<0, kFirst, kEnd>(x, token, word, chunks, number, acc);
    }
  }

  // kRows rows from `row` on: the lanes of sums[t][place + r] add up to the sum of token t.
  static inline void rows(const PackedGroups& s, int64_t row, const float* x, const int64_t (&token)[kTokens], Chunk (&chunks)[kRows],
                          float (*sums)[kLanes][kLanes], int64_t place) {
    const int shift = __builtin_ctz(static_cast<unsigned>(s.group)) - 4;  // units of a group
    const int64_t *first = s.rows + row, longest = first[kRows] - first[kRows - 1] > first[1] - first[0] ? kRows - 1 : 0;
    Sums acc;
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int p = 0; p < kParts; ++p)
#pragma GCC unroll 4
        for (int t = 0; t < kTokens; ++t) acc[r][p][t] = V::zero();
    const int64_t most = kChunk >> shift;  // groups of a chunk
    for (int64_t at = 0; at < first[longest + 1] - first[longest]; at += most) {
      for (int r = 0; r < kRows; ++r) {
        const int64_t left = first[r + 1] - first[r] - at;
        chunks[r].load(s, first[r] + at, left < 0 ? 0 : left < most ? left : most, shift);
      }
      if constexpr (kRows == 2) {
        const int64_t both = chunks[0].units < chunks[1].units ? chunks[0].units : chunks[1].units;
        range<0, 2>(x, token, chunks, 0, both, acc);
        range<0, 1>(x, token, chunks, both, chunks[0].units, acc);
        range<1, 2>(x, token, chunks, both, chunks[1].units, acc);
      } else {
        range<0, 1>(x, token, chunks, 0, chunks[0].units, acc);
      }
    }
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
        F32 sum = acc[r][0][t];
#pragma GCC unroll 4
        for (int p = 1; p < kParts; ++p) sum = sum + acc[r][p][t];
        V::store(sums[t][place + r], sum);
      }
  }

  static void run(const SpmmTile& tile) {
    const PackedGroups& s = *static_cast<const PackedGroups*>(tile.weight);
    int64_t token[kTokens];  // where its row of x begins
    for (int i = 0; i < kTokens; ++i) token[i] = (i < tile.tokens ? i : tile.tokens - 1) * s.in_padded;
    Chunk chunks[kRows];
    for (int64_t r = 0; r < tile.rows; r += kLanes) {
      alignas(64) float sums[kTokens][kLanes][kLanes];
      for (int64_t i = 0; i < kLanes; i += kRows) rows(s, tile.first_row + r + i, tile.x, token, chunks, sums, i);
      for (int t = 0; t < kTokens; ++t) {
        F32 lanes[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) lanes[i] = V::load(sums[t][i]);
        V::store(tile.acc + r * kTokens + t * kLanes, V::sums(lanes));
      }
    }
  }
};

template <class V>
static void int4_groups(const SpmmTile& tile) {
  if (tile.tokens == 1)
    Int4Groups<V, 1>::run(tile);
  else if (tile.tokens == 2)
    Int4Groups<V, 2>::run(tile);
  else
    Int4Groups<V, 4>::run(tile);
}

}  // namespace
}  // namespace sk

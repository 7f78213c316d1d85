// Few tokens: a vector holds L outputs; each lane picks its input among the m candidates of the group with one permute.
//
//   load    acc [tokens][L] of a row group                    per k block
//   expand  quads of weights -> one vector per kept weight, fields -> lane indices, group of x -> Table
//   fma     acc += table.pick(index) * w
//   store   acc                                            per k block; after the last one finish.h makes y of it
//
// Floor: the bytes of the packed weight, streamed once. Per vector of kept weights: one load, one shift, and one permute and one FMA
// for each token; of int8 two shifts and a conversion besides, so that shifts decide.
#pragma once

#include "tile.h"

namespace sk {
namespace {

template <class V, class T, int kM, int kN, int kTokens>
struct FewTokens {
  using F32 = typename V::F32;
  using U32 = typename V::U32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kBits = field_bits(kM);
  static constexpr int kFields = 32 / kBits;

  static constexpr int kTogether = kTokens == 1 && two_chains<kLanes, T> ? 2 : 1;  // row groups

  // One k block for kGroups row groups, which follow one another.
  template <int kGroups>
  static void block(const float* x, const int64_t (&token)[kTokens], const T* values, const uint32_t* fields, int64_t words, int n,
                    bool first, float* acc_rows) {
    F32 acc[kGroups][kTokens];
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g)
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) acc[g][t] = first ? V::zero() : V::load(acc_rows + (g * kTokens + t) * kLanes);
    const int64_t of_group = words * kFields * kLanes;  // values
    const T* ahead = values + (kGroups - 1) * of_group;
    const float* group = x;  // the current group's first input
    int seen = 0;            // kept weights of it behind us (only used where kN is 0)
    for (int64_t w = 0; w < words; ++w) {
      U32 word[kGroups];
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) word[g] = V::load_u32(fields + (g * words + w) * kLanes);
      for (int q = 0; q < kFields / 4; ++q, values += kLanes * 4) {
        F32 value[kGroups][4];
        fetch_ahead<V>(ahead, kGroups * kLanes * 4 * static_cast<int64_t>(sizeof(T)));
        ahead += kGroups * kLanes * 4;
#pragma GCC unroll 2
        for (int g = 0; g < kGroups; ++g) V::load_quads(values + g * of_group, value[g]);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
#pragma GCC unroll 4
          for (int t = 0; t < kTokens; ++t) {
            const auto table = V::template Table<kM>::load(group + token[t]);
#pragma GCC unroll 2
            for (int g = 0; g < kGroups; ++g) acc[g][t] = V::fma(table.pick(word[g]), value[g][j], acc[g][t]);
          }
#pragma GCC unroll 2
          for (int g = 0; g < kGroups; ++g) word[g] = V::template shift_right<kBits>(word[g]);
          if (kN == 0 ? ++seen == n : (j + 1) % (kN ? kN : 1) == 0) {
            seen = 0;
            group += kM;
          }
        }
      }
    }
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g)
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) V::store(acc_rows + (g * kTokens + t) * kLanes, acc[g][t]);
  }

  static void run(const SpmmTile& t) {
    const PackedNm& s = *static_cast<const PackedNm*>(t.weight);
    const int n = kN ? kN : s.n;
    const int64_t kept_row = s.in_padded / kM * n;
    const T* values = static_cast<const T*>(s.values) + t.first_row * kept_row;
    const uint32_t* fields = s.fields + t.first_row * (kept_row / kFields);
    int64_t token[kTokens];  // where its row of x begins
    for (int i = 0; i < kTokens; ++i) token[i] = (i < t.tokens ? i : t.tokens - 1) * s.in_padded;
    for (int64_t k = 0; k < s.in_padded; k += s.k_block) {
      const int64_t inputs = k + s.k_block < s.in_padded ? s.k_block : s.in_padded - k;
      const int64_t words = inputs / kM * n / kFields;
      for (int64_t r = 0, rows; r < t.rows; r += rows) {
        rows = r + kTogether * kLanes <= t.rows ? kTogether * kLanes : kLanes;
        const auto multiply = rows > kLanes ? &block<kTogether> : &block<1>;
        multiply(t.x + k, token, values, fields, words, n, k == 0, t.acc + r * kTokens);
        values += words * kFields * rows;
        fields += words * rows;
      }
    }
  }
};

// One, two or four tokens at once; the fourth of three is the third once more.
template <class V, class T, int kM, int kN>
static void few_tokens(const SpmmTile& tile) {
  if (tile.tokens == 1)
    FewTokens<V, T, kM, kN, 1>::run(tile);
  else if (tile.tokens == 2)
    FewTokens<V, T, kM, kN, 2>::run(tile);
  else
    FewTokens<V, T, kM, kN, 4>::run(tile);
}

}  // namespace
}  // namespace sk

// Few tokens with int8 weights and int8 activations: a vector holds four kept weights each of L outputs; byte shuffles pick their inputs.
//
//   load    acc [tokens][L] of a row group, int32          per k block
//   expand  fields -> bytes that name inputs, windows of 16 inputs -> the four inputs of each output
//   fma     acc += sums of four products
//   store   acc; after the last k block as float32, times the scale of the token: what finish.h expects
//
// Floor: the bytes of the packed weight, streamed once. Per vector of 4L kept weights and token: where four kept weights always lie within
// 16 inputs (M = 4) one shuffle, else four, and the products and their sums.
#pragma once

#include "tile.h"

namespace sk {
namespace {

// Byte i of a group of four, and 0x80 in the others: pick() gives 0 there.
constexpr uint32_t only_byte(int i) { return 0x80808080u & ~(0xFFu << 8 * i); }

template <class V, int kM, int kN, int kTokens>
struct Int8FewTokens {
  using I32 = typename V::I32;
  using U32 = typename V::U32;
  using Bytes = typename V::Bytes;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kBits = field_bits(kM);
  static constexpr int kFields = 32 / kBits;
  static constexpr bool kTwoOfFour = kM == 4 && kN == 2;

  // Where the groups of the four kept weights of a quad begin, in inputs of the k block.
  struct Groups {
    int64_t at[4];
  };

  static inline Groups next_groups(int64_t& group, int& seen, int n) {
    Groups groups;
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      groups.at[j] = group;
      if (kN == 0 ? ++seen == n : (j + 1) % (kN ? kN : 1) == 0) {
        seen = 0;
        group += kM;
      }
    }
    return groups;
  }

  // The inputs of four kept weights of each output; `index` has a number below kM in each byte.
  static inline Bytes inputs_of(const int8_t* x, const Groups& groups, U32 index) {
    if (kTwoOfFour) return V::pick(V::load_window(x + groups.at[0]), V::or_u32(index, V::set1_u32(0x04040000)));
    Bytes picked{};
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const U32 one = V::or_u32(index, V::set1_u32(only_byte(j)));
      Bytes input;
      if (kM < 32) {
        input = V::pick(V::load_window(x + groups.at[j]), one);
      } else {  // + 0x70 sets bit 7 of what lies beyond the first window; ^ 0x80 sets it for what does not
        const U32 beyond = V::add_u32(index, V::set1_u32(0x70707070));
        input = V::or_u32(V::pick(V::load_window(x + groups.at[j]), V::or_u32(beyond, V::set1_u32(only_byte(j)))),
                          V::pick(V::load_window(x + groups.at[j] + 16),
                                  V::or_u32(V::xor_u32(beyond, V::set1_u32(0x80808080)), V::set1_u32(only_byte(j)))));
      }
      picked = j == 0 ? input : V::or_u32(picked, input);
    }
    return picked;
  }

  // One k block for one row group, in one forward stream.
  static void block(const int8_t* x, const int64_t (&token)[kTokens], const int8_t* values, const uint32_t* fields, int64_t words, int n,
                    bool first, bool last, const float* scales, float* acc_rows) {
    I32 acc[kTokens];
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) acc[t] = first ? V::zero_i32() : V::load_i32(acc_rows + t * kLanes);
    const U32 mask = V::set1_u32((kM - 1) * 0x01010101u);
    int64_t group = 0;
    int seen = 0;
    for (int64_t w = 0; w < words; ++w) {
      U32 word = V::load_u32(fields + w * kLanes);
      fetch_ahead<V>(values, kFields * kLanes);
      for (int q = 0; q < kFields / 4; ++q, values += kLanes * 4) {
        const U32 index = V::and_u32(word, mask);
        const Bytes value = V::load_bytes(values);
        const Groups groups = next_groups(group, seen, n);
#pragma GCC unroll 4
        for (int t = 0; t < kTokens; ++t) acc[t] = V::dot_bytes(acc[t], inputs_of(x + token[t], groups, index), value);
        word = V::template shift_right<kBits>(word);
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      if (last)
        V::store(acc_rows + t * kLanes, V::to_float(acc[t]) * V::set1(scales[t]));
      else
        V::store_i32(acc_rows + t * kLanes, acc[t]);
    }
  }

  static void run(const SpmmTile& t) {
    const PackedNm& s = *static_cast<const PackedNm*>(t.weight);
    const auto* x = reinterpret_cast<const int8_t*>(t.x);
    const int n = kN ? kN : s.n;
    const int64_t kept_row = s.in_padded / kM * n;
    const int8_t* values = static_cast<const int8_t*>(s.values) + t.first_row * kept_row;
    const uint32_t* fields = s.fields + t.first_row * (kept_row / kFields);
    int64_t token[kTokens];  // where its row of x begins
    float scales[kTokens];
    for (int i = 0; i < kTokens; ++i) {
      const int64_t source = i < t.tokens ? i : t.tokens - 1;
      token[i] = source * (s.in_padded + kInt8RowPad);
      scales[i] = t.x_scale[source];
    }
    for (int64_t k = 0; k < s.in_padded; k += s.k_block) {
      const int64_t inputs = k + s.k_block < s.in_padded ? s.k_block : s.in_padded - k;
      const int64_t words = inputs / kM * n / kFields;
      for (int64_t r = 0; r < t.rows; r += kLanes) {
        block(x + k, token, values, fields, words, n, k == 0, k + inputs == s.in_padded, scales, t.acc + r * kTokens);
        values += words * kFields * kLanes;
        fields += words * kLanes;
      }
    }
  }
};

// One, two or four tokens at once; the fourth of three is the third once more.
template <class V, int kM, int kN>
static void int8_few_tokens(const SpmmTile& tile) {
  if (tile.tokens == 1)
    Int8FewTokens<V, kM, kN, 1>::run(tile);
  else if (tile.tokens == 2)
    Int8FewTokens<V, kM, kN, 2>::run(tile);
  else
    Int8FewTokens<V, kM, kN, 4>::run(tile);
}

}  // namespace
}  // namespace sk

// N:M groups: of every m consecutive scores the n best.
//
//   load    L groups, transposed: vector e holds element e of each group             expand  scores -> signed integers in the same order
//   count   for each pair i < j one comparison says which of the two comes first: an element's count is the number that come before it
//   store   kept where count < n: transposed back into a mask
//
// Floor: read the scores, write the mask. For each element (m - 1) / 2 pairs of compare, add, subtract, and two transposes: 0.6 vector
// operations for m = 4 and 6 for m = 32, so memory decides up to m = 16.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

template <class V, int kM>
struct Groups {
  using F32 = typename V::F32;
  using U32 = typename V::U32;
  static constexpr int kLanes = V::kLanes, kParts = kLanes / 4;
  static constexpr int kSpan = kM < 4 ? 4 : kM;  // elements of one lane

  // Signed integers in the order of the scores: -0 equals 0, NaN is the smallest.
  static inline U32 keys(F32 scores, bool magnitude) {
    const U32 bits = V::bits_of(scores), positive = V::and_u32(bits, V::set1_u32(0x7FFFFFFF));
    const U32 nan = V::greater_i32(positive, V::set1_u32(0x7F800000));
    // Negative numbers order the wrong way round: -x of their magnitude does not; it also makes -0 and 0 equal.
    const U32 sign = magnitude ? V::set1_u32(0) : V::template shift_right_i32<31>(bits);
    const U32 key = V::sub_u32(V::xor_u32(positive, sign), sign);
    const U32 least = V::set1_u32(0x80000000);
    return V::xor_u32(key, V::and_u32(nan, V::xor_u32(key, least)));
  }

  static inline void compare(const U32 (&key)[kSpan], U32 (&count)[kSpan], int i, int j) {
    const U32 j_first = V::greater_i32(key[j], key[i]);  // -1 where true: count[i] gains 1, else count[j] would
    count[i] = V::sub_u32(count[i], j_first);
    count[j] = V::add_u32(count[j], j_first);
  }

  static inline void count_before(const U32 (&key)[kSpan], U32 (&count)[kSpan]) {
#pragma GCC unroll 32
    for (int e = 0; e < kSpan; ++e) count[e] = V::set1_u32(static_cast<uint32_t>(e % kM));  // as if every lower index came before
    if constexpr (kM == 2) {
      compare(key, count, 0, 1);
      compare(key, count, 2, 3);
    } else {
#pragma GCC unroll 1
      for (int i = 0; i < kM; i += 4) {  // four elements stay in registers while the later ones pass by
#pragma GCC unroll 6
        for (int a = 0; a < 4; ++a)
#pragma GCC unroll 6
          for (int b = a + 1; b < 4; ++b) compare(key, count, i + a, i + b);
        U32 k[4] = {key[i], key[i + 1], key[i + 2], key[i + 3]}, c[4] = {count[i], count[i + 1], count[i + 2], count[i + 3]};
#pragma GCC unroll 1
        for (int j = i + 4; j < kM; ++j) {
          U32 cj = count[j];
#pragma GCC unroll 4
          for (int a = 0; a < 4; ++a) {
            const U32 j_first = V::greater_i32(key[j], k[a]);
            c[a] = V::sub_u32(c[a], j_first);
            cj = V::add_u32(cj, j_first);
          }
          count[j] = cj;
        }
#pragma GCC unroll 4
        for (int a = 0; a < 4; ++a) count[i + a] = c[a];
      }
    }
  }

  // Bits 0-3 -> four bytes of 0 or 1.
  static inline uint32_t spread(uint32_t nibble) { return nibble * 0x00204081u & 0x01010101u; }

  static void run(const GroupChunks& t) {
    const U32 n = V::set1_u32(static_cast<uint32_t>(t.n));
    for (int64_t chunk = 0; chunk < t.chunks; ++chunk) {
      const int64_t base = chunk * kLanes * kSpan;
      U32 key[kSpan], count[kSpan];
#pragma GCC unroll 8
      for (int q = 0; q < kSpan; q += 4) {
        F32 r[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) r[i] = V::float_of(keys(V::load_parts(t.scores + base + i * kParts * kSpan + q, kSpan), t.magnitude));
        V::transpose_quads(r);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) key[q + i] = V::bits_of(r[i]);
      }
      count_before(key, count);
#pragma GCC unroll 8
      for (int q = 0; q < kSpan; q += 4) {
        F32 r[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) r[i] = V::float_of(V::greater_i32(n, count[q + i]));
        V::transpose_quads(r);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          const int64_t at = base + i * kParts * kSpan + q;
          if (t.masked != nullptr) {
            const U32 weight = V::bits_of(V::load_parts(t.weight + at, kSpan));
            V::store_parts(t.masked + at, kSpan, V::float_of(V::and_u32(weight, V::bits_of(r[i]))));
          } else {
            const uint32_t bits = V::lanes_set(V::bits_of(r[i]));
#pragma GCC unroll 4
            for (int part = 0; part < kParts; ++part) {
              const uint32_t bytes = spread(bits >> 4 * part & 15);
              __builtin_memcpy(t.mask + at + part * kSpan, &bytes, 4);
            }
          }
        }
      }
    }
  }
};

}  // namespace
}  // namespace sk

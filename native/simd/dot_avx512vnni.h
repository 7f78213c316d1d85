// AVX-512 VNNI words for products of 8-bit integers: those of AVX-512 BW but for the three whose products and sums are one instruction
// here.
#pragma once

#include "dot_avx512.h"

namespace sk {
namespace {

struct Avx512VnniDot : Avx512Dot {
  static inline void add_pairs(const int16_t* a, const int16_t* b, Pair w, I32& low, I32& high) {
    const __m512i va = load_i32(a), vb = load_i32(b);
    low = _mm512_dpwssd_epi32(low, _mm512_unpacklo_epi16(va, vb), w);
    high = _mm512_dpwssd_epi32(high, _mm512_unpackhi_epi16(va, vb), w);
  }
  static inline void add_pair(const int16_t* ab, Pair w, I32& acc) { acc = _mm512_dpwssd_epi32(acc, w, load_i32(ab)); }
  static inline I32 dot_bytes(I32 acc, Bytes x, Bytes w) { return _mm512_dpbusd_epi32(acc, _mm512_abs_epi8(w), with_sign(x, w)); }
};

}  // namespace
}  // namespace sk

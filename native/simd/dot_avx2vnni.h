// AVX-VNNI words for products of 8-bit integers: those of AVX2 but for the three whose products and sums are one instruction here.
#pragma once

#include "dot_avx2.h"

namespace sk {
namespace {

struct Avx2VnniDot : Avx2Dot {
  static inline void add_pairs(const int16_t* a, const int16_t* b, Pair w, I32& low, I32& high) {
    const __m256i va = load_i32(a), vb = load_i32(b);
    low = _mm256_dpwssd_avx_epi32(low, _mm256_unpacklo_epi16(va, vb), w);
    high = _mm256_dpwssd_avx_epi32(high, _mm256_unpackhi_epi16(va, vb), w);
  }
  static inline void add_pair(const int16_t* ab, Pair w, I32& acc) { acc = _mm256_dpwssd_avx_epi32(acc, w, load_i32(ab)); }
  static inline I32 dot_bytes(I32 acc, Bytes x, Bytes w) {
    return _mm256_dpbusd_avx_epi32(acc, _mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
  }
};

}  // namespace
}  // namespace sk

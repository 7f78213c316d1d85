// AVX-512 (BW) words for products of 8-bit integers. dot_portable.h says what each word means.
#pragma once

#include "vec_avx512.h"

namespace sk {
namespace {

struct Avx512Dot : Avx512 {
  using I32 = __m512i;
  using Bytes = __m512i;
  using Pair = __m512i;
  using Shorts = __m512i;
  static constexpr int kPieces = 4;

  static inline I32 zero_i32() { return _mm512_setzero_si512(); }
  static inline I32 load_i32(const void* p) { return _mm512_load_si512(p); }
  static inline void store_i32(void* p, I32 a) { _mm512_store_si512(p, a); }
  static inline I32 add_i32(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
  static inline F32 to_float(I32 a) { return _mm512_cvtepi32_ps(a); }

  static inline void store_shorts(int16_t* p, F32 low, F32 high) {
    store_i32(p, _mm512_packs_epi32(_mm512_cvtps_epi32(low), _mm512_cvtps_epi32(high)));
  }
  static inline void widen_bytes(const int8_t* p, int16_t* to) {
    store_i32(to, _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
  }
  static inline Pair splat_pair(const int16_t* p) {
    int bits;
    __builtin_memcpy(&bits, p, 4);
    return _mm512_set1_epi32(bits);
  }
  static inline void splat_pairs(const int16_t* p, Pair& first, Pair& second) { first = splat_pair(p), second = splat_pair(p + 2); }
  static inline void add_pairs(const int16_t* a, const int16_t* b, Pair w, I32& low, I32& high) {
    const __m512i va = load_i32(a), vb = load_i32(b);
    low = add_products(low, _mm512_unpacklo_epi16(va, vb), w);
    high = add_products(high, _mm512_unpackhi_epi16(va, vb), w);
  }

  static inline void add_pair(const int16_t* ab, Pair w, I32& acc) { acc = add_products(acc, w, load_i32(ab)); }
  static inline U32 to_steps_u32(F32 a) { return _mm512_cvtps_epi32(a); }

  static inline void store_bytes(int8_t* p, F32 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
  }
  static inline Bytes load_bytes(const int8_t* p) { return _mm512_loadu_si512(p); }
  static inline Bytes load_window(const int8_t* p) { return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static inline Bytes pick(Bytes window, U32 index) { return _mm512_shuffle_epi8(window, index); }
  // As in AVX2, which has vpsignb: |w| * (x with the sign of w).
  static inline I32 dot_bytes(I32 acc, Bytes x, Bytes w) {
    return _mm512_add_epi32(acc, sum_pairs(_mm512_maddubs_epi16(_mm512_abs_epi8(w), with_sign(x, w))));
  }

  static inline Bytes load_pieces(const void* const (&p)[4]) {
    const __m512i first = _mm512_inserti32x4(_mm512_castsi128_si512(bits128(p[0])), bits128(p[1]), 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(first, bits128(p[2]), 2), bits128(p[3]), 3);
  }
  template <int kI>
  static inline F32 splat_in_pieces(F32 a) {
    return _mm512_permute_ps(a, kI * 0x55);
  }
  template <int kShift>
  static inline F32 load_each(const Half* p) {
    return _mm512_permutexvar_ps(_mm512_srli_epi32(iota(), kShift), load(p));
  }
  template <int kShift>
  static inline Bytes splat_bytes(const int8_t* p) {
    const __m512i each = _mm512_permutexvar_epi32(_mm512_srli_epi32(iota(), kShift), _mm512_cvtepu8_epi32(bits128(p)));
    return _mm512_mullo_epi32(each, _mm512_set1_epi32(0x01010101));
  }
  static inline Bytes add_bytes(Bytes a, Bytes b) { return _mm512_add_epi8(a, b); }
  static inline Bytes sub_bytes(Bytes a, Bytes b) { return _mm512_sub_epi8(a, b); }

  static inline Shorts zero_shorts() { return _mm512_setzero_si512(); }
  static inline Shorts add_shorts(Shorts a, Shorts b) { return _mm512_add_epi16(a, b); }
  static inline Shorts sub_shorts(Shorts a, Shorts b) { return _mm512_sub_epi16(a, b); }
  static inline Shorts dot_pairs(Bytes without, Bytes with) { return _mm512_maddubs_epi16(without, with); }
  static inline I32 sum_pairs(Shorts a) { return _mm512_madd_epi16(a, _mm512_set1_epi16(1)); }

 protected:
  static inline Bytes with_sign(Bytes x, Bytes w) { return _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x); }

 private:
  static inline __m128i bits128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static inline I32 add_products(I32 acc, __m512i x, __m512i w) { return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w)); }
};

}  // namespace
}  // namespace sk

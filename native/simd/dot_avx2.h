// AVX2 words for products of 8-bit integers. dot_portable.h says what each word means.
#pragma once

#include "vec_avx2.h"

namespace sk {
namespace {

struct Avx2Dot : Avx2 {
  using I32 = __m256i;
  using Bytes = __m256i;
  using Pair = __m256i;
  using Shorts = __m256i;
  static constexpr int kPieces = 2;

  static inline I32 zero_i32() { return _mm256_setzero_si256(); }
  static inline I32 load_i32(const void* p) { return _mm256_load_si256(static_cast<const __m256i*>(p)); }
  static inline void store_i32(void* p, I32 a) { _mm256_store_si256(static_cast<__m256i*>(p), a); }
  static inline I32 add_i32(I32 a, I32 b) { return _mm256_add_epi32(a, b); }
  static inline F32 to_float(I32 a) { return _mm256_cvtepi32_ps(a); }

  static inline void store_shorts(int16_t* p, F32 low, F32 high) {
    store_i32(p, _mm256_packs_epi32(_mm256_cvtps_epi32(low), _mm256_cvtps_epi32(high)));
  }
  static inline void widen_bytes(const int8_t* p, int16_t* to) { store_i32(to, _mm256_cvtepi8_epi16(bits128(p))); }
  static inline Pair splat_pair(const int16_t* p) { return _mm256_set1_epi32(bits32(p)); }
  static inline void splat_pairs(const int16_t* p, Pair& first, Pair& second) {  // one load: products need all others
    long long bits;
    __builtin_memcpy(&bits, p, 8);
    const __m256i both = _mm256_set1_epi64x(bits);
    first = _mm256_shuffle_epi32(both, 0x00), second = _mm256_shuffle_epi32(both, 0x55);
  }
  static inline void add_pairs(const int16_t* a, const int16_t* b, Pair w, I32& low, I32& high) {
    const __m256i va = load_i32(a), vb = load_i32(b);
    low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(va, vb), w));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(va, vb), w));
    __asm__("" : "+x"(low), "+x"(high));  // GCC would add products of several calls first, and spill accumulators for them
  }

  static inline void add_pair(const int16_t* ab, Pair w, I32& acc) {
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(w, load_i32(ab)));
    __asm__("" : "+x"(acc));
  }
  static inline U32 to_steps_u32(F32 a) { return _mm256_cvtps_epi32(a); }

  static inline void store_bytes(int8_t* p, F32 a) {
    const __m256i i = _mm256_cvtps_epi32(a);
    const __m128i shorts = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(shorts, shorts));
  }
  static inline Bytes load_bytes(const int8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static inline Bytes load_window(const int8_t* p) { return _mm256_broadcastsi128_si256(bits128(p)); }
  static inline Bytes pick(Bytes window, U32 index) { return _mm256_shuffle_epi8(window, index); }
  // vpmaddubsw wants one factor without a sign: |w|, which all tokens share, * (x with the sign of w). Its sums of two do not saturate
  // (dot_portable.h).
  static inline I32 dot_bytes(I32 acc, Bytes x, Bytes w) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }

  static inline Bytes load_pieces(const void* const (&p)[2]) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(bits128(p[0])), bits128(p[1]), 1);
  }
  template <int kI>
  static inline F32 splat_in_pieces(F32 a) {
    return _mm256_permute_ps(a, kI * 0x55);
  }
  template <int kShift>
  static inline F32 load_each(const Half* p) {
    if (kShift == 0) return load(p);
    constexpr int k2 = 2 >> kShift, k4 = 4 >> kShift, k6 = 6 >> kShift;  // elements of lanes 2, 4 and 6
    constexpr int k1 = 1 >> kShift, k3 = 3 >> kShift, k5 = 5 >> kShift, k7 = 7 >> kShift;
    const __m128i from = _mm_setr_epi16(0x100, 0x100 + k1 * 0x202, 0x100 + k2 * 0x202, 0x100 + k3 * 0x202, 0x100 + k4 * 0x202,
                                        0x100 + k5 * 0x202, 0x100 + k6 * 0x202, 0x100 + k7 * 0x202);
    return _mm256_cvtph_ps(_mm_shuffle_epi8(bits128(p), from));
  }
  template <int kShift>
  static inline Bytes splat_bytes(const int8_t* p) {
    const __m256i lane = _mm256_srli_epi32(iota(), kShift);
    return _mm256_shuffle_epi8(_mm256_broadcastq_epi64(bits64(p)), _mm256_mullo_epi32(lane, _mm256_set1_epi32(0x01010101)));
  }
  static inline Bytes add_bytes(Bytes a, Bytes b) { return _mm256_add_epi8(a, b); }
  static inline Bytes sub_bytes(Bytes a, Bytes b) { return _mm256_sub_epi8(a, b); }

  static inline Shorts zero_shorts() { return _mm256_setzero_si256(); }
  static inline Shorts add_shorts(Shorts a, Shorts b) { return _mm256_add_epi16(a, b); }
  static inline Shorts sub_shorts(Shorts a, Shorts b) { return _mm256_sub_epi16(a, b); }
  static inline Shorts dot_pairs(Bytes without, Bytes with) { return _mm256_maddubs_epi16(without, with); }
  static inline I32 sum_pairs(Shorts a) { return _mm256_madd_epi16(a, _mm256_set1_epi16(1)); }
};

}  // namespace
}  // namespace sk

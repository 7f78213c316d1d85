// AVX-512 (F, VL, DQ, BW) words for the kernels: 16 lanes of float32. vec_portable.h says what each word means.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "half.h"

namespace sk {
namespace {

struct Avx512 {
  static constexpr int kLanes = 16;
  using F32 = __m512;
  using U32 = __m512i;

  static inline F32 zero() { return _mm512_setzero_ps(); }
  static inline F32 set1(float x) { return _mm512_set1_ps(x); }
  static inline F32 load(const float* p) { return _mm512_load_ps(p); }
  static inline F32 loadu(const float* p) { return _mm512_loadu_ps(p); }
  static inline F32 held(F32 a) {
    asm("" : "+v"(a));
    return a;
  }
  static inline void store(float* p, F32 a) { _mm512_store_ps(p, a); }
  static inline void storeu(float* p, F32 a) { _mm512_storeu_ps(p, a); }
  static inline F32 load(const Half* p) { return _mm512_cvtph_ps(bits256(p)); }
  static inline F32 load(const BHalf* p) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits256(p)), 16)); }
  static inline F32 load(const int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static inline void store(Half* p, F32 a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static inline void store(BHalf* p, F32 a) {
    const __m512i bits = _mm512_castps_si512(a), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    const __m512i upper = _mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), quiet), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(upper));
  }

  static inline F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
  // maxps returns its second operand when either is NaN, so the order of the operands keeps NaN.
  static inline F32 relu(F32 a) { return _mm512_max_ps(_mm512_setzero_ps(), a); }
  static inline F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
  static inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
  // Of what is wanted much later: into L2, which takes more requests at a time than L1 (Zen 4: decoding in 0.6 of the time).
  static inline void prefetch_early(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

  static inline F32 shift_exponent(F32 a, F32 t) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_slli_epi32(_mm512_castps_si512(t), 23)));
  }
  static inline F32 within(F32 a, const int32_t* low, const int32_t* high, int32_t k) {
    const __m512i key = _mm512_set1_epi32(k);
    const __mmask16 below = _mm512_cmpgt_epi32_mask(_mm512_loadu_si512(low), key);
    const __mmask16 above = _mm512_cmpgt_epi32_mask(key, _mm512_loadu_si512(high));
    return _mm512_mask_mov_ps(a, static_cast<__mmask16>(below | above), _mm512_set1_ps(-__builtin_inff()));
  }
  __attribute__((always_inline)) static inline F32 sums(const F32 (&a)[16]) {
    F32 four[4];  // each 128-bit part: the sums of that part of four vectors
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m512* r = a + 4 * i;
      const __m512 t0 = _mm512_add_ps(_mm512_unpacklo_ps(r[0], r[1]), _mm512_unpackhi_ps(r[0], r[1]));
      const __m512 t1 = _mm512_add_ps(_mm512_unpacklo_ps(r[2], r[3]), _mm512_unpackhi_ps(r[2], r[3]));
      four[i] = _mm512_add_ps(_mm512_shuffle_ps(t0, t1, 0x44), _mm512_shuffle_ps(t0, t1, 0xEE));
    }
    const __m512 v0 = add_parts(four[0], four[1]), v1 = add_parts(four[2], four[3]);
    return add_parts(v0, v1);
  }

  using Quad = __m512;
  static inline Quad load_quad(const float* p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
  static inline Quad load_quad(const Half* p) { return _mm512_cvtph_ps(repeated(p)); }
  static inline Quad load_quad(const BHalf* p) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(repeated(p)), 16)); }
  static inline Quad load_quad(const int8_t* p) {
    int bits;
    __builtin_memcpy(&bits, p, 4);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_set1_epi32(bits)));
  }
  template <int kI>
  static inline F32 splat(Quad q) {
    return _mm512_permute_ps(q, kI * 0x55);
  }
  template <class T>
  static inline void load_quads(const T* p, F32 (&out)[4]) {
    // Vector i holds the quads of lanes i, i + 4, i + 8 and i + 12, one per 128-bit part.
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) out[i] = load(p + 16 * i);
    transpose_quads(out);
  }
  static inline void load_quads(const int8_t* p, F32 (&out)[4]) {
    // A quad is a lane: put the lanes in order, then take them apart byte by byte.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i quads = _mm512_permutexvar_epi32(order, loadu_u32(reinterpret_cast<const uint32_t*>(p)));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) out[i] = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(quads, 24 - 8 * i), 24));
  }

  static inline U32 load_u32(const uint32_t* p) { return _mm512_load_si512(p); }
  static inline U32 loadu_u32(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static inline void storeu_u32(uint32_t* p, U32 a) { _mm512_storeu_si512(p, a); }
  static inline U32 set1_u32(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static inline U32 iota() { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
  static inline U32 bits_of(F32 a) { return _mm512_castps_si512(a); }
  static inline F32 float_of(U32 a) { return _mm512_castsi512_ps(a); }
  static inline U32 add_u32(U32 a, U32 b) { return _mm512_add_epi32(a, b); }
  static inline U32 sub_u32(U32 a, U32 b) { return _mm512_sub_epi32(a, b); }
  static inline U32 and_u32(U32 a, U32 b) { return _mm512_and_si512(a, b); }
  static inline U32 or_u32(U32 a, U32 b) { return _mm512_or_si512(a, b); }
  static inline U32 xor_u32(U32 a, U32 b) { return _mm512_xor_si512(a, b); }
  static inline U32 greater_i32(U32 a, U32 b) { return _mm512_movm_epi32(_mm512_cmpgt_epi32_mask(a, b)); }
  template <int kBits>
  static inline U32 shift_left(U32 a) {
    return _mm512_slli_epi32(a, kBits);
  }
  template <int kBits>
  static inline U32 shift_right(U32 a) {
    return _mm512_srli_epi32(a, kBits);
  }
  template <int kBits>
  static inline U32 shift_right_i32(U32 a) {
    return _mm512_srai_epi32(a, kBits);
  }

  static inline uint32_t lanes_greater(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
  static inline uint32_t lanes_equal(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
  static inline uint32_t lanes_nan(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q); }
  static inline uint32_t lanes_set(U32 a) { return _mm512_movepi32_mask(a); }
  static inline int count(uint32_t lane_bits) { return _mm_popcnt_u32(lane_bits); }
  static inline F32 keep(F32 a, uint32_t lane_bits) { return _mm512_maskz_mov_ps(static_cast<__mmask16>(lane_bits), a); }
  static inline U32 compress(U32 a, uint32_t lane_bits) { return _mm512_maskz_compress_epi32(static_cast<__mmask16>(lane_bits), a); }

  static inline F32 load_parts(const float* p, int64_t stride) {
    const __m256 lo = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1);
    const __m256 hi = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 2 * stride)), _mm_loadu_ps(p + 3 * stride), 1);
    return _mm512_insertf32x8(_mm512_castps256_ps512(lo), hi, 1);
  }
  static inline void store_parts(float* p, int64_t stride, F32 a) {
    _mm_storeu_ps(p, _mm512_castps512_ps128(a));
    _mm_storeu_ps(p + stride, _mm512_extractf32x4_ps(a, 1));
    _mm_storeu_ps(p + 2 * stride, _mm512_extractf32x4_ps(a, 2));
    _mm_storeu_ps(p + 3 * stride, _mm512_extractf32x4_ps(a, 3));
  }
  static inline void transpose_quads(F32 (&r)[4]) {
    const __m512 ab_lo = _mm512_unpacklo_ps(r[0], r[1]), ab_hi = _mm512_unpackhi_ps(r[0], r[1]);
    const __m512 cd_lo = _mm512_unpacklo_ps(r[2], r[3]), cd_hi = _mm512_unpackhi_ps(r[2], r[3]);
    r[0] = _mm512_shuffle_ps(ab_lo, cd_lo, 0x44);
    r[1] = _mm512_shuffle_ps(ab_lo, cd_lo, 0xEE);
    r[2] = _mm512_shuffle_ps(ab_hi, cd_hi, 0x44);
    r[3] = _mm512_shuffle_ps(ab_hi, cd_hi, 0xEE);
  }

  template <int kM>
  struct Table;

  static inline __m256i bits256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static inline __m256i repeated(const void* p) {  // eight bytes, four times
    long long bits;
    __builtin_memcpy(&bits, p, 8);
    return _mm256_set1_epi64x(bits);
  }

  static inline void transpose(F32 (&r)[16]) {
    __m512 t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
      t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {  // r[i + c], part q: column 4q + c of rows i .. i+3
      r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
      r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xEE);
      r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
      r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {  // 4x4 transpose of 128-bit parts
      const __m512 p0 = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88), p1 = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xDD);
      const __m512 p2 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88), p3 = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xDD);
      t[c] = _mm512_shuffle_f32x4(p0, p2, 0x88);
      t[4 + c] = _mm512_shuffle_f32x4(p1, p3, 0x88);
      t[8 + c] = _mm512_shuffle_f32x4(p0, p2, 0xDD);
      t[12 + c] = _mm512_shuffle_f32x4(p1, p3, 0xDD);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) r[i] = t[i];
  }

 private:
  // Neighbouring 128-bit parts added: a0 + a1, a2 + a3, b0 + b1, b2 + b3.
  static inline F32 add_parts(F32 a, F32 b) { return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD)); }
};

template <>
struct Avx512::Table<4> {
  __m512 v;
  static inline Table load(const float* p) { return {_mm512_broadcast_f32x4(_mm_load_ps(p))}; }
  inline __m512 pick(__m512i i) const { return _mm512_permutevar_ps(v, i); }  // reads index bits 0-1
};

template <>
struct Avx512::Table<8> {
  __m512 v;
  static inline Table load(const float* p) { return {_mm512_broadcast_f32x8(_mm256_load_ps(p))}; }
  inline __m512 pick(__m512i i) const { return _mm512_permutexvar_ps(i, v); }  // reads bits 0-3; both halves are equal
};

template <>
struct Avx512::Table<16> {
  __m512 v;
  static inline Table load(const float* p) { return {_mm512_load_ps(p)}; }
  inline __m512 pick(__m512i i) const { return _mm512_permutexvar_ps(i, v); }  // reads bits 0-3
};

template <>
struct Avx512::Table<32> {
  __m512 lo, hi;
  static inline Table load(const float* p) { return {_mm512_load_ps(p), _mm512_load_ps(p + 16)}; }
  inline __m512 pick(__m512i i) const { return _mm512_permutex2var_ps(lo, i, hi); }  // reads bits 0-4
};

}  // namespace
}  // namespace sk

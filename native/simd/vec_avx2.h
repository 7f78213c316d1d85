// AVX2 + FMA + F16C words for the kernels: 8 lanes of float32. vec_portable.h says what each word means.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "half.h"

namespace sk {
namespace {

// Entry m: the numbers of the bits set in m, ascending, one a byte.
struct CompressTable {
  uint64_t bytes[256];
  constexpr CompressTable() : bytes() {
    for (int m = 0; m < 256; ++m)
      for (int bit = 0, to = 0; bit < 8; ++bit)
        if (m >> bit & 1) bytes[m] |= static_cast<uint64_t>(bit) << 8 * to++;
  }
};
constexpr CompressTable kCompress;

struct Avx2 {
  static constexpr int kLanes = 8;
  using F32 = __m256;
  using U32 = __m256i;

  static inline F32 zero() { return _mm256_setzero_ps(); }
  static inline F32 set1(float x) { return _mm256_set1_ps(x); }
  static inline F32 load(const float* p) { return _mm256_load_ps(p); }
  static inline F32 loadu(const float* p) { return _mm256_loadu_ps(p); }
  // a in a register: GCC would load it anew for each product, and the slots of loads are short.
  static inline F32 held(F32 a) {
    asm("" : "+x"(a));
    return a;
  }
  static inline void store(float* p, F32 a) { _mm256_store_ps(p, a); }
  static inline void storeu(float* p, F32 a) { _mm256_storeu_ps(p, a); }
  static inline F32 load(const Half* p) { return _mm256_cvtph_ps(bits128(p)); }
  static inline F32 load(const BHalf* p) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits128(p)), 16)); }
  static inline F32 load(const int8_t* p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bits64(p))); }
  static inline void store(Half* p, F32 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static inline void store(BHalf* p, F32 a) {
    const __m256i bits = _mm256_castps_si256(a), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256 is_nan = _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
    const __m256i upper =
        _mm256_srli_epi32(_mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(rounded), _mm256_castsi256_ps(quiet), is_nan)), 16);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(upper, upper), 0xD8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
  }

  static inline F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
  // maxps returns its second operand when either is NaN, so the order of the operands keeps NaN.
  static inline F32 relu(F32 a) { return _mm256_max_ps(_mm256_setzero_ps(), a); }
  static inline F32 max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
  static inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
  static inline void prefetch_early(const void* p) { prefetch(p); }  // into L2, scattered lines take longer (Zen 3: 1.4 times)

  static inline F32 shift_exponent(F32 a, F32 t) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_castps_si256(t), 23)));
  }
  static inline F32 within(F32 a, const int32_t* low, const int32_t* high, int32_t k) {
    const __m256i key = _mm256_set1_epi32(k);
    const __m256i below = _mm256_cmpgt_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(low)), key);
    const __m256i above = _mm256_cmpgt_epi32(key, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(high)));
    return _mm256_blendv_ps(a, _mm256_set1_ps(-__builtin_inff()), _mm256_castsi256_ps(_mm256_or_si256(below, above)));
  }
  static inline F32 sums(const F32 (&a)[8]) {
    F32 four[2];  // each 128-bit half: the sums of that half of four vectors
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const __m256* r = a + 4 * i;
      const __m256 t0 = _mm256_add_ps(_mm256_unpacklo_ps(r[0], r[1]), _mm256_unpackhi_ps(r[0], r[1]));
      const __m256 t1 = _mm256_add_ps(_mm256_unpacklo_ps(r[2], r[3]), _mm256_unpackhi_ps(r[2], r[3]));
      four[i] = _mm256_add_ps(_mm256_shuffle_ps(t0, t1, 0x44), _mm256_shuffle_ps(t0, t1, 0xEE));
    }
    return _mm256_add_ps(_mm256_permute2f128_ps(four[0], four[1], 0x20), _mm256_permute2f128_ps(four[0], four[1], 0x31));
  }

  using Quad = __m256;
  static inline Quad load_quad(const float* p) { return _mm256_broadcast_ps(reinterpret_cast<const __m128*>(p)); }
  static inline Quad load_quad(const Half* p) { return _mm256_cvtph_ps(twice(p)); }
  static inline Quad load_quad(const BHalf* p) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(twice(p)), 16)); }
  static inline Quad load_quad(const int8_t* p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_set1_epi32(bits32(p)))); }
  template <int kI>
  static inline F32 splat(Quad q) {
    return _mm256_permute_ps(q, kI * 0x55);
  }
  template <class T>
  static inline void load_quads(const T* p, F32 (&out)[4]) {
    // Vector i holds the quads of lanes i and i + 4, one per 128-bit half.
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) out[i] = load(p + 8 * i);
    transpose_quads(out);
  }
  static inline void load_quads(const int8_t* p, F32 (&out)[4]) {
    // A quad is a lane: put the lanes in order, then take them apart byte by byte.
    const __m256i quads =
        _mm256_permutevar8x32_epi32(loadu_u32(reinterpret_cast<const uint32_t*>(p)), _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) out[i] = _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(quads, 24 - 8 * i), 24));
  }

  static inline U32 load_u32(const uint32_t* p) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(p)); }
  static inline U32 loadu_u32(const uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static inline void storeu_u32(uint32_t* p, U32 a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }
  static inline U32 set1_u32(uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static inline U32 iota() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
  static inline U32 bits_of(F32 a) { return _mm256_castps_si256(a); }
  static inline F32 float_of(U32 a) { return _mm256_castsi256_ps(a); }
  static inline U32 add_u32(U32 a, U32 b) { return _mm256_add_epi32(a, b); }
  static inline U32 sub_u32(U32 a, U32 b) { return _mm256_sub_epi32(a, b); }
  static inline U32 and_u32(U32 a, U32 b) { return _mm256_and_si256(a, b); }
  static inline U32 or_u32(U32 a, U32 b) { return _mm256_or_si256(a, b); }
  static inline U32 xor_u32(U32 a, U32 b) { return _mm256_xor_si256(a, b); }
  static inline U32 greater_i32(U32 a, U32 b) { return _mm256_cmpgt_epi32(a, b); }
  template <int kBits>
  static inline U32 shift_left(U32 a) {
    return _mm256_slli_epi32(a, kBits);
  }
  template <int kBits>
  static inline U32 shift_right(U32 a) {
    return _mm256_srli_epi32(a, kBits);
  }
  template <int kBits>
  static inline U32 shift_right_i32(U32 a) {
    return _mm256_srai_epi32(a, kBits);
  }

  static inline uint32_t lanes_greater(F32 a, F32 b) { return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ))); }
  static inline uint32_t lanes_equal(F32 a, F32 b) { return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ))); }
  static inline uint32_t lanes_nan(F32 a, F32 b) { return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_UNORD_Q))); }
  static inline uint32_t lanes_set(U32 a) { return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(a))); }
  static inline int count(uint32_t lane_bits) { return _mm_popcnt_u32(lane_bits); }
  static inline F32 keep(F32 a, uint32_t lane_bits) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(lane_bits)), bit);
    return _mm256_and_ps(a, _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, bit)));
  }
  static inline U32 compress(U32 a, uint32_t lane_bits) {
    const __m128i from = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kCompress.bytes + lane_bits));
    return _mm256_permutevar8x32_epi32(a, _mm256_cvtepu8_epi32(from));
  }

  static inline F32 load_parts(const float* p, int64_t stride) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1);
  }
  static inline void store_parts(float* p, int64_t stride, F32 a) {
    _mm_storeu_ps(p, _mm256_castps256_ps128(a));
    _mm_storeu_ps(p + stride, _mm256_extractf128_ps(a, 1));
  }
  static inline void transpose_quads(F32 (&r)[4]) {
    const __m256 ab_lo = _mm256_unpacklo_ps(r[0], r[1]), ab_hi = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 cd_lo = _mm256_unpacklo_ps(r[2], r[3]), cd_hi = _mm256_unpackhi_ps(r[2], r[3]);
    r[0] = _mm256_shuffle_ps(ab_lo, cd_lo, 0x44);
    r[1] = _mm256_shuffle_ps(ab_lo, cd_lo, 0xEE);
    r[2] = _mm256_shuffle_ps(ab_hi, cd_hi, 0x44);
    r[3] = _mm256_shuffle_ps(ab_hi, cd_hi, 0xEE);
  }

  template <int kM>
  struct Table;

  static inline __m128i bits128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static inline __m128i bits64(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
  static inline int bits32(const void* p) {
    int bits;
    __builtin_memcpy(&bits, p, 4);
    return bits;
  }
  static inline __m128i twice(const void* p) {  // eight bytes
    long long bits;
    __builtin_memcpy(&bits, p, 8);
    return _mm_set1_epi64x(bits);
  }

  static inline void transpose(F32 (&r)[8]) {
    const __m256 t0 = _mm256_unpacklo_ps(r[0], r[1]), t1 = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 t2 = _mm256_unpacklo_ps(r[2], r[3]), t3 = _mm256_unpackhi_ps(r[2], r[3]);
    const __m256 t4 = _mm256_unpacklo_ps(r[4], r[5]), t5 = _mm256_unpackhi_ps(r[4], r[5]);
    const __m256 t6 = _mm256_unpacklo_ps(r[6], r[7]), t7 = _mm256_unpackhi_ps(r[6], r[7]);
    const __m256 s0 = _mm256_shuffle_ps(t0, t2, 0x44), s1 = _mm256_shuffle_ps(t0, t2, 0xEE);
    const __m256 s2 = _mm256_shuffle_ps(t1, t3, 0x44), s3 = _mm256_shuffle_ps(t1, t3, 0xEE);
    const __m256 s4 = _mm256_shuffle_ps(t4, t6, 0x44), s5 = _mm256_shuffle_ps(t4, t6, 0xEE);
    const __m256 s6 = _mm256_shuffle_ps(t5, t7, 0x44), s7 = _mm256_shuffle_ps(t5, t7, 0xEE);
    r[0] = _mm256_permute2f128_ps(s0, s4, 0x20), r[4] = _mm256_permute2f128_ps(s0, s4, 0x31);
    r[1] = _mm256_permute2f128_ps(s1, s5, 0x20), r[5] = _mm256_permute2f128_ps(s1, s5, 0x31);
    r[2] = _mm256_permute2f128_ps(s2, s6, 0x20), r[6] = _mm256_permute2f128_ps(s2, s6, 0x31);
    r[3] = _mm256_permute2f128_ps(s3, s7, 0x20), r[7] = _mm256_permute2f128_ps(s3, s7, 0x31);
  }
};

template <>
struct Avx2::Table<4> {
  __m256 v;
  static inline Table load(const float* p) { return {_mm256_broadcast_ps(reinterpret_cast<const __m128*>(p))}; }
  inline __m256 pick(__m256i i) const { return _mm256_permutevar_ps(v, i); }  // reads index bits 0-1
};

template <>
struct Avx2::Table<8> {
  __m256 v;
  static inline Table load(const float* p) { return {_mm256_load_ps(p)}; }
  inline __m256 pick(__m256i i) const { return _mm256_permutevar8x32_ps(v, i); }  // reads index bits 0-2
};

template <>
struct Avx2::Table<16> {
  Table<8> lo, hi;
  static inline Table load(const float* p) { return {Table<8>::load(p), Table<8>::load(p + 8)}; }
  inline __m256 pick(__m256i i) const {  // blendv reads the sign bit: index bit 3 goes there
    return _mm256_blendv_ps(lo.pick(i), hi.pick(i), _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
  }
};

template <>
struct Avx2::Table<32> {
  Table<16> lo, hi;
  static inline Table load(const float* p) { return {Table<16>::load(p), Table<16>::load(p + 16)}; }
  inline __m256 pick(__m256i i) const { return _mm256_blendv_ps(lo.pick(i), hi.pick(i), _mm256_castsi256_ps(_mm256_slli_epi32(i, 27))); }
};

}  // namespace
}  // namespace sk

// Stands in for <immintrin.h> where native/simd/vec_avx512.h and dot_avx512.h are tested on a machine without AVX-512: the intrinsics that
// it uses, and no others, lane by lane as the Intel Intrinsics Guide describes them. What it cannot show is that a compiler's intrinsics do
// the same.
#pragma once

#include <cstdint>

struct __m128 {
  float f[4];
};
struct __m256 {
  float f[8];
};
struct __m512 {
  float f[16];
};
struct __m512i {
  uint32_t u[16];
};
struct __m128i {
  uint8_t b[16];
};
struct __m256i {
  uint16_t h[16];
};
using __mmask16 = uint16_t;

#define _CMP_EQ_OQ 0
#define _CMP_UNORD_Q 3
#define _CMP_GT_OQ 30
#define _MM_HINT_T0 3
#define _MM_FROUND_TO_NEAREST_INT 0
#define _MM_FROUND_NO_EXC 8
#define _mm_prefetch(p, hint) __builtin_prefetch(p)  // clang knows a function of that name without any header

namespace {

inline void trap_unless_aligned(const void* p, uintptr_t bytes) {  // an aligned load faults
  if (reinterpret_cast<uintptr_t>(p) % bytes != 0) __builtin_trap();
}
template <class T>
T read(const void* p) {
  T a;
  __builtin_memcpy(&a, p, sizeof(a));
  return a;
}
template <class F>
__m512 each(F&& lane) {
  __m512 r;
  for (int i = 0; i < 16; ++i) r.f[i] = lane(i);
  return r;
}

// ---- load, store
inline __m128 _mm_load_ps(const float* p) { return trap_unless_aligned(p, 16), read<__m128>(p); }
inline __m128 _mm_loadu_ps(const float* p) { return read<__m128>(p); }
inline __m256 _mm256_load_ps(const float* p) { return trap_unless_aligned(p, 32), read<__m256>(p); }
inline __m512 _mm512_load_ps(const float* p) { return trap_unless_aligned(p, 64), read<__m512>(p); }
inline __m512i _mm512_load_si512(const void* p) { return trap_unless_aligned(p, 64), read<__m512i>(p); }
inline __m512 _mm512_loadu_ps(const void* p) { return read<__m512>(p); }
inline void _mm512_storeu_ps(void* p, __m512 a) { __builtin_memcpy(p, &a, sizeof(a)); }
inline void _mm512_store_ps(void* p, __m512 a) { trap_unless_aligned(p, 64), _mm512_storeu_ps(p, a); }

inline void _mm_storeu_ps(float* p, __m128 a) { __builtin_memcpy(p, &a, sizeof(a)); }
inline __m512i _mm512_loadu_si512(const void* p) { return read<__m512i>(p); }
inline void _mm512_storeu_si512(void* p, __m512i a) { __builtin_memcpy(p, &a, sizeof(a)); }

// ---- integers
template <class F>
__m512i each_u32(F&& lane) {
  __m512i r;
  for (int i = 0; i < 16; ++i) r.u[i] = lane(i);
  return r;
}
inline __m512i _mm512_set1_epi32(int x) {
  return each_u32([&](int) { return static_cast<uint32_t>(x); });
}
template <class... Int>
__m512i _mm512_setr_epi32(Int... x) {
  return __m512i{{static_cast<uint32_t>(x)...}};
}
inline __m512i _mm512_castps_si512(__m512 a) { return read<__m512i>(&a); }
inline __m512 _mm512_castsi512_ps(__m512i a) { return read<__m512>(&a); }
inline __m512i _mm512_add_epi32(__m512i a, __m512i b) {
  return each_u32([&](int i) { return a.u[i] + b.u[i]; });
}
inline __m512i _mm512_sub_epi32(__m512i a, __m512i b) {
  return each_u32([&](int i) { return a.u[i] - b.u[i]; });
}
inline __m512i _mm512_and_si512(__m512i a, __m512i b) {
  return each_u32([&](int i) { return a.u[i] & b.u[i]; });
}
inline __m512i _mm512_or_si512(__m512i a, __m512i b) {
  return each_u32([&](int i) { return a.u[i] | b.u[i]; });
}
inline __m512i _mm512_xor_si512(__m512i a, __m512i b) {
  return each_u32([&](int i) { return a.u[i] ^ b.u[i]; });
}
inline __m512i _mm512_srai_epi32(__m512i a, unsigned bits) {
  return each_u32([&](int i) { return static_cast<uint32_t>(static_cast<int32_t>(a.u[i]) >> (bits > 31 ? 31 : bits)); });
}

// ---- masks: bit i is lane i
template <class F>
__mmask16 mask_where(F&& lane) {
  unsigned mask = 0;
  for (int i = 0; i < 16; ++i) mask |= static_cast<unsigned>(lane(i)) << i;
  return static_cast<__mmask16>(mask);
}
inline __mmask16 _mm512_cmpgt_epi32_mask(__m512i a, __m512i b) {
  return mask_where([&](int i) { return static_cast<int32_t>(a.u[i]) > static_cast<int32_t>(b.u[i]); });
}
inline __mmask16 _mm512_cmp_ps_mask(__m512 a, __m512 b, int predicate) {
  return mask_where([&](int i) {
    const float x = a.f[i], y = b.f[i];
    return predicate == _CMP_GT_OQ ? x > y : predicate == _CMP_EQ_OQ ? x == y : x != x || y != y;
  });
}
inline __mmask16 _mm512_movepi32_mask(__m512i a) {
  return mask_where([&](int i) { return a.u[i] >> 31 != 0; });
}
inline __m512i _mm512_movm_epi32(__mmask16 mask) {
  return each_u32([&](int i) { return mask >> i & 1 ? 0xFFFFFFFFu : 0u; });
}
inline __m512 _mm512_maskz_mov_ps(__mmask16 mask, __m512 a) {
  return each([&](int i) { return mask >> i & 1 ? a.f[i] : 0; });
}
inline __m512 _mm512_mask_mov_ps(__m512 source, __mmask16 mask, __m512 a) {
  return each([&](int i) { return mask >> i & 1 ? a.f[i] : source.f[i]; });
}
inline __m512i _mm512_maskz_compress_epi32(__mmask16 mask, __m512i a) {
  __m512i r = {};
  for (int i = 0, to = 0; i < 16; ++i)
    if (mask >> i & 1) r.u[to++] = a.u[i];
  return r;
}
inline int _mm_popcnt_u32(uint32_t a) { return __builtin_popcount(a); }

// ---- arithmetic
inline __m512 _mm512_set1_ps(float x) {
  return each([&](int) { return x; });
}
inline __m512 _mm512_setzero_ps() { return _mm512_set1_ps(0); }
inline __m512 _mm512_add_ps(__m512 a, __m512 b) {
  return each([&](int i) { return a.f[i] + b.f[i]; });
}
inline __m512 _mm512_fmadd_ps(__m512 a, __m512 b, __m512 c) {
  return each([&](int i) { return __builtin_fmaf(a.f[i], b.f[i], c.f[i]); });
}
inline __m512 _mm512_max_ps(__m512 a, __m512 b) {  // MAX(a, b) of the guide: b where either is NaN and where both are zeros
  return each([&](int i) { return a.f[i] > b.f[i] ? a.f[i] : b.f[i]; });
}
inline __m512i _mm512_slli_epi32(__m512i a, unsigned bits) {
  for (uint32_t& u : a.u) u = bits > 31 ? 0 : u << bits;
  return a;
}
inline __m512i _mm512_srli_epi32(__m512i a, unsigned bits) {
  for (uint32_t& u : a.u) u = bits > 31 ? 0 : u >> bits;
  return a;
}

inline __m512i _mm512_mask_mov_epi32(__m512i a, __mmask16 mask, __m512i b) {
  return each_u32([&](int i) { return mask >> i & 1 ? b.u[i] : a.u[i]; });
}

// ---- 16-bit floats and conversion
inline __m128i _mm_loadu_si128(const __m128i* p) { return read<__m128i>(p); }
inline __m256i _mm256_loadu_si256(const __m256i* p) { return read<__m256i>(p); }
inline void _mm256_storeu_si256(__m256i* p, __m256i a) { __builtin_memcpy(p, &a, sizeof(a)); }
inline __m128i _mm_set1_epi32(int x) {
  __m128i r;
  for (int i = 0; i < 4; ++i) __builtin_memcpy(r.b + 4 * i, &x, 4);
  return r;
}
inline __m256i _mm256_set1_epi64x(long long x) {
  __m256i r;
  for (int i = 0; i < 4; ++i) __builtin_memcpy(r.h + 4 * i, &x, 8);
  return r;
}
inline __m512i _mm512_cvtepu16_epi32(__m256i a) {
  return each_u32([&](int i) { return a.h[i]; });
}
inline __m512i _mm512_cvtepi8_epi32(__m128i a) {
  return each_u32([&](int i) { return static_cast<uint32_t>(static_cast<int8_t>(a.b[i])); });
}
inline __m512 _mm512_cvtepi32_ps(__m512i a) {
  return each([&](int i) { return static_cast<float>(static_cast<int32_t>(a.u[i])); });
}
inline __m256i _mm512_cvtepi32_epi16(__m512i a) {
  __m256i r;
  for (int i = 0; i < 16; ++i) r.h[i] = static_cast<uint16_t>(a.u[i]);
  return r;
}
// By arithmetic on the value, not on the bits, so that this shares nothing with native/simd/half.h.
inline float half_value(uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  double x = exponent == 31 ? (fraction ? __builtin_nan("") : __builtin_inf())
                            : __builtin_ldexp(exponent ? 1024 + fraction : fraction, (exponent ? exponent : 1) - 25);
  uint32_t bits;
  float f = static_cast<float>(x);
  __builtin_memcpy(&bits, &f, 4);
  if (x != x) bits = 0x7FC00000u | static_cast<uint32_t>(fraction) << 13;
  bits = (bits & 0x7FFFFFFFu) | static_cast<uint32_t>(h >> 15) << 31;
  __builtin_memcpy(&f, &bits, 4);
  return f;
}
inline uint16_t half_nearest(float f) {
  uint32_t bits;
  __builtin_memcpy(&bits, &f, 4);
  const uint16_t sign = bits >> 31 ? 0x8000 : 0;
  if (f != f) return static_cast<uint16_t>(sign | 0x7E00 | (bits >> 13 & 0x3FF));
  const double x = f < 0 ? -static_cast<double>(f) : f;
  if (x >= 65520) return sign | 0x7C00;
  uint16_t low = 0, high = 0x7BFF;  // largest half at most x
  while (low < high) {
    const uint16_t middle = static_cast<uint16_t>((low + high + 1) / 2);
    if (static_cast<double>(half_value(middle)) <= x)
      low = middle;
    else
      high = static_cast<uint16_t>(middle - 1);
  }
  const double below = half_value(low), above = low == 0x7BFF ? 65536 : static_cast<double>(half_value(static_cast<uint16_t>(low + 1)));
  const bool up = x - below > above - x || (x - below == above - x && low % 2);
  return static_cast<uint16_t>(sign | (low + up));
}
inline __m512 _mm512_cvtph_ps(__m256i a) {
  return each([&](int i) { return half_value(a.h[i]); });
}
inline __m256i _mm512_cvtps_ph(__m512 a, int rounding) {
  if (rounding != (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)) __builtin_trap();
  __m256i r;
  for (int i = 0; i < 16; ++i) r.h[i] = half_nearest(a.f[i]);
  return r;
}

// ---- bytes and 16-bit integers
template <class T, class F>
__m512i each_of(F&& element) {
  T r[64 / sizeof(T)];
  for (int i = 0; i < static_cast<int>(64 / sizeof(T)); ++i) r[i] = static_cast<T>(element(i));
  return read<__m512i>(r);
}
template <class T>
T element(__m512i a, int i) {
  T r;
  __builtin_memcpy(&r, reinterpret_cast<const char*>(&a) + static_cast<unsigned>(i) * sizeof(T), sizeof(T));
  return r;
}
inline int16_t saturated(int x) { return static_cast<int16_t>(x < -32768 ? -32768 : x > 32767 ? 32767 : x); }
inline void _mm512_store_si512(void* p, __m512i a) { trap_unless_aligned(p, 64), _mm512_storeu_si512(p, a); }
inline void _mm_storeu_si128(__m128i* p, __m128i a) { __builtin_memcpy(p, &a, sizeof(a)); }
inline __m512i _mm512_setzero_si512() { return {}; }
inline __m512i _mm512_set1_epi16(short x) {
  return each_of<int16_t>([&](int) { return x; });
}
inline __m512i _mm512_cvtps_epi32(__m512 a) {
  return each_u32([&](int i) { return static_cast<uint32_t>(static_cast<int32_t>(__builtin_rintf(a.f[i]))); });
}
inline __m512i _mm512_packs_epi32(__m512i a, __m512i b) {  // in each part four of a, four of b
  return each_of<int16_t>([&](int i) { return saturated(element<int32_t>(i % 8 < 4 ? a : b, i / 8 * 4 + i % 4)); });
}
inline __m512i _mm512_cvtepi8_epi16(__m256i a) {
  return each_of<int16_t>([&](int i) { return static_cast<int8_t>(a.h[i / 2] >> (i % 2 * 8)); });
}
inline __m128i _mm512_cvtepi32_epi8(__m512i a) {
  __m128i r;
  for (int i = 0; i < 16; ++i) r.b[i] = static_cast<uint8_t>(a.u[i]);
  return r;
}
inline __m512i _mm512_cvtepu8_epi32(__m128i a) {
  return each_u32([&](int i) { return a.b[i]; });
}
inline __m512i _mm512_unpacklo_epi16(__m512i a, __m512i b) {
  return each_of<int16_t>([&](int i) { return element<int16_t>(i % 2 ? b : a, i / 8 * 8 + i % 8 / 2); });
}
inline __m512i _mm512_unpackhi_epi16(__m512i a, __m512i b) {
  return each_of<int16_t>([&](int i) { return element<int16_t>(i % 2 ? b : a, i / 8 * 8 + 4 + i % 8 / 2); });
}
inline __m512i _mm512_mullo_epi32(__m512i a, __m512i b) {
  return each_u32([&](int i) { return a.u[i] * b.u[i]; });
}
inline __m512i _mm512_add_epi16(__m512i a, __m512i b) {
  return each_of<int16_t>([&](int i) { return element<int16_t>(a, i) + element<int16_t>(b, i); });
}
inline __m512i _mm512_sub_epi16(__m512i a, __m512i b) {
  return each_of<int16_t>([&](int i) { return element<int16_t>(a, i) - element<int16_t>(b, i); });
}
inline __m512i _mm512_add_epi8(__m512i a, __m512i b) {
  return each_of<int8_t>([&](int i) { return element<int8_t>(a, i) + element<int8_t>(b, i); });
}
inline __m512i _mm512_sub_epi8(__m512i a, __m512i b) {
  return each_of<int8_t>([&](int i) { return element<int8_t>(a, i) - element<int8_t>(b, i); });
}
inline __m512i _mm512_abs_epi8(__m512i a) {
  return each_of<int8_t>([&](int i) { return __builtin_abs(element<int8_t>(a, i)); });
}
inline uint64_t _mm512_movepi8_mask(__m512i a) {
  uint64_t mask = 0;
  for (int i = 0; i < 64; ++i) mask |= static_cast<uint64_t>(element<uint8_t>(a, i) >> 7) << i;
  return mask;
}
inline __m512i _mm512_mask_sub_epi8(__m512i source, uint64_t mask, __m512i a, __m512i b) {
  return each_of<int8_t>([&](int i) { return mask >> i & 1 ? element<int8_t>(a, i) - element<int8_t>(b, i) : element<int8_t>(source, i); });
}
inline __m512i _mm512_madd_epi16(__m512i a, __m512i b) {
  const auto product = [&](int i) { return element<int16_t>(a, i) * element<int16_t>(b, i); };
  return each_of<int32_t>([&](int i) { return product(2 * i) + product(2 * i + 1); });
}
inline __m512i _mm512_maddubs_epi16(__m512i a, __m512i b) {  // bytes of a without a sign, those of b with one
  const auto product = [&](int i) { return element<uint8_t>(a, i) * element<int8_t>(b, i); };
  return each_of<int16_t>([&](int i) { return saturated(product(2 * i) + product(2 * i + 1)); });
}
inline __m512i _mm512_shuffle_epi8(__m512i a, __m512i index) {
  return each_of<uint8_t>([&](int i) {
    const int from = element<uint8_t>(index, i);
    return from & 0x80 ? 0 : element<uint8_t>(a, i / 16 * 16 + from % 16);
  });
}
inline __m512i _mm512_castsi128_si512(__m128i a) {
  return each_of<uint8_t>([&](int i) { return i < 16 ? a.b[i] : 0xCD; });  // undefined
}
inline __m512i _mm512_inserti32x4(__m512i a, __m128i b, int part) {
  return each_of<uint8_t>([&](int i) { return i / 16 == part ? b.b[i % 16] : element<uint8_t>(a, i); });
}
inline __m512i _mm512_broadcast_i32x4(__m128i a) {
  return each_of<uint8_t>([&](int i) { return a.b[i % 16]; });
}
inline __m512i _mm512_permutexvar_epi32(__m512i index, __m512i a) {
  return each_u32([&](int i) { return a.u[index.u[i] & 15]; });
}

// ---- broadcast
inline __m512 _mm512_broadcast_f32x4(__m128 a) {
  return each([&](int i) { return a.f[i % 4]; });
}
inline __m512 _mm512_broadcast_f32x8(__m256 a) {
  return each([&](int i) { return a.f[i % 8]; });
}

// ---- halves and quarters
inline __m256 _mm256_castps128_ps256(__m128 a) { return {{a.f[0], a.f[1], a.f[2], a.f[3]}}; }
inline __m256 _mm256_insertf128_ps(__m256 a, __m128 b, int part) {
  for (int i = 0; i < 4; ++i) a.f[4 * part + i] = b.f[i];
  return a;
}
inline __m512 _mm512_castps256_ps512(__m256 a) {
  return each([&](int i) { return i < 8 ? a.f[i] : 0; });
}
inline __m512 _mm512_insertf32x8(__m512 a, __m256 b, int half) {
  for (int i = 0; i < 8; ++i) a.f[8 * half + i] = b.f[i];
  return a;
}
inline __m128 _mm512_extractf32x4_ps(__m512 a, int part) {
  return {{a.f[4 * part], a.f[4 * part + 1], a.f[4 * part + 2], a.f[4 * part + 3]}};
}
inline __m128 _mm512_castps512_ps128(__m512 a) { return _mm512_extractf32x4_ps(a, 0); }

// ---- inside 128-bit parts: i & ~3 is the first lane of lane i's part
inline __m512 _mm512_permute_ps(__m512 a, int imm) {
  return each([&](int i) { return a.f[(i & ~3) + ((imm >> (2 * (i & 3))) & 3)]; });
}
inline __m512 _mm512_permutevar_ps(__m512 a, __m512i b) {
  return each([&](int i) { return a.f[(i & ~3) + static_cast<int>(b.u[i] & 3)]; });
}
inline __m512 _mm512_unpacklo_ps(__m512 a, __m512 b) {  // a0 b0 a1 b1
  return each([&](int i) { return (i & 1 ? b : a).f[(i & ~3) + (i & 3) / 2]; });
}
inline __m512 _mm512_unpackhi_ps(__m512 a, __m512 b) {  // a2 b2 a3 b3
  return each([&](int i) { return (i & 1 ? b : a).f[(i & ~3) + 2 + (i & 3) / 2]; });
}
inline __m512 _mm512_shuffle_ps(__m512 a, __m512 b, int imm) {  // two of a, two of b
  return each([&](int i) { return ((i & 3) < 2 ? a : b).f[(i & ~3) + ((imm >> (2 * (i & 3))) & 3)]; });
}

// ---- across parts
inline __m512 _mm512_shuffle_f32x4(__m512 a, __m512 b, int imm) {  // two parts of a, two of b
  return each([&](int i) { return (i < 8 ? a : b).f[4 * ((imm >> (2 * (i / 4))) & 3) + i % 4]; });
}
inline __m512 _mm512_permutexvar_ps(__m512i index, __m512 a) {
  return each([&](int i) { return a.f[index.u[i] & 15]; });
}
inline __m512 _mm512_permutex2var_ps(__m512 a, __m512i index, __m512 b) {  // index bit 4 chooses b
  return each([&](int i) { return (index.u[i] & 16 ? b : a).f[index.u[i] & 15]; });
}

}  // namespace

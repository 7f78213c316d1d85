// Stands in for <immintrin.h> where native/simd/vec_avx512.h, dot_avx512.h and dot_avx512vnni.h are tested on a machine without AVX-512:
// the intrinsics that they use, and no others, lane by lane as the Intel Intrinsics Guide describes them. What it cannot show is that a
// compiler's intrinsics do the same.
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

#include "bw.h"
#include "f16.h"
#include "vnni.h"

// Stands in for <immintrin.h> where native/simd/vec_avx512.h is tested on a machine without AVX-512: the intrinsics that it uses, and no
// others, lane by lane as the Intel Intrinsics Guide describes them. What it cannot show is that a compiler's intrinsics do the same.
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

#define _MM_HINT_T0 3
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
inline __m256 _mm256_load_ps(const float* p) { return trap_unless_aligned(p, 32), read<__m256>(p); }
inline __m512 _mm512_load_ps(const float* p) { return trap_unless_aligned(p, 64), read<__m512>(p); }
inline __m512i _mm512_load_si512(const void* p) { return trap_unless_aligned(p, 64), read<__m512i>(p); }
inline __m512 _mm512_loadu_ps(const void* p) { return read<__m512>(p); }
inline void _mm512_storeu_ps(void* p, __m512 a) { __builtin_memcpy(p, &a, sizeof(a)); }
inline void _mm512_store_ps(void* p, __m512 a) { trap_unless_aligned(p, 64), _mm512_storeu_ps(p, a); }

// ---- arithmetic
inline __m512 _mm512_set1_ps(float x) {
  return each([&](int) { return x; });
}
inline __m512 _mm512_setzero_ps() { return _mm512_set1_ps(0); }
inline __m512 _mm512_fmadd_ps(__m512 a, __m512 b, __m512 c) {
  return each([&](int i) { return __builtin_fmaf(a.f[i], b.f[i], c.f[i]); });
}
inline __m512 _mm512_max_ps(__m512 a, __m512 b) {  // MAX(a, b) of the guide: b where either is NaN and where both are zeros
  return each([&](int i) { return a.f[i] > b.f[i] ? a.f[i] : b.f[i]; });
}
inline __m512i _mm512_srli_epi32(__m512i a, unsigned bits) {
  for (uint32_t& u : a.u) u = bits > 31 ? 0 : u >> bits;
  return a;
}

// ---- broadcast
inline __m512 _mm512_broadcast_f32x4(__m128 a) {
  return each([&](int i) { return a.f[i % 4]; });
}
inline __m512 _mm512_broadcast_f32x8(__m256 a) {
  return each([&](int i) { return a.f[i % 8]; });
}

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

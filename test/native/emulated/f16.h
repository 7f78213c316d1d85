// 16-bit floats and conversion. For immintrin.h, which includes it last.
#pragma once

namespace {

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

}  // namespace

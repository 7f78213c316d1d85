// AVX-512 VNNI. For immintrin.h, which includes it last.
#pragma once

namespace {

inline __m512i _mm512_dpwssd_epi32(__m512i acc, __m512i a, __m512i b) {
  const auto product = [&](int i) { return element<int16_t>(a, i) * element<int16_t>(b, i); };
  return each_u32([&](int i) { return acc.u[i] + static_cast<uint32_t>(product(2 * i)) + static_cast<uint32_t>(product(2 * i + 1)); });
}
inline __m512i _mm512_dpbusd_epi32(__m512i acc, __m512i a, __m512i b) {  // bytes of a without a sign, those of b with one
  const auto product = [&](int i) { return static_cast<uint32_t>(element<uint8_t>(a, i) * element<int8_t>(b, i)); };
  return each_u32([&](int i) { return acc.u[i] + product(4 * i) + product(4 * i + 1) + product(4 * i + 2) + product(4 * i + 3); });
}

}  // namespace

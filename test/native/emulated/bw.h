// Bytes and 16-bit integers, in vectors. For immintrin.h, which includes it last.
#pragma once

namespace {

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

}  // namespace

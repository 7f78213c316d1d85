// The 16-bit floating-point formats as they lie in memory, and their conversions one at a time. The vector words load(const Half*),
// store(Half*, F32) and so on give the same bits.
#pragma once

#include <cstdint>

namespace sk {

struct Half {  // IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits
  uint16_t bits;
};
struct BHalf {  // bfloat16: the upper half of a float32
  uint16_t bits;
};

namespace {

inline uint32_t float_bits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits;
}
inline float bits_float(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}

inline float widen(Half h) {
  const uint32_t sign = static_cast<uint32_t>(h.bits & 0x8000) << 16, rest = h.bits & 0x7FFF;
  if (rest >= 0x7C00) return bits_float(sign | 0x7F800000 | rest << 13 | (rest > 0x7C00 ? 0x400000 : 0));  // a NaN becomes quiet
  // The exponent bias differs by 112; a product with a power of two also gets denormals right, exactly.
  return bits_float(sign | float_bits(bits_float(rest << 13) * bits_float((127 + 112) << 23)));
}
inline float widen(BHalf h) { return bits_float(static_cast<uint32_t>(h.bits) << 16); }
inline float widen(float x) { return x; }

// Round to nearest, ties to even; too large becomes infinity; NaN stays a quiet NaN with its upper payload.
inline void narrow(float x, Half* h) {
  const uint32_t bits = float_bits(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7FFFFFFF;
  uint32_t half;
  if (rest > 0x7F800000) {
    half = 0x7E00 | (rest >> 13 & 0x3FF);
  } else if (rest >= 0x477FF000) {  // 65520: half way between the largest and 65536
    half = 0x7C00;
  } else if (rest < 0x38800000) {  // below 2^-14: denormal; adding 0.5 leaves the rounded fraction in the lowest bits
    half = float_bits(bits_float(rest) + 0.5f) - 0x3F000000;
  } else {
    half = (rest - (112u << 23) + 0xFFF + (rest >> 13 & 1)) >> 13;
  }
  h->bits = static_cast<uint16_t>(sign | half);
}
inline void narrow(float x, BHalf* h) {
  const uint32_t bits = float_bits(x);
  const bool nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  h->bits = static_cast<uint16_t>(nan ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace
}  // namespace sk

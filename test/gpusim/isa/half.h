// 16-bit and 8-bit floating point: exact conversion to float, correctly rounded conversion from double.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace gpusim {

enum class Round : uint8_t { kNearest, kZero, kDown, kUp, kAway };  // kAway: nearest, ties away from zero (.rna)

inline uint32_t float_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
inline float bits_float(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline uint64_t double_bits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, 8);
  return bits;
}
inline double bits_double(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, 8);
  return value;
}

// Rounds a double to a format with `mantissa` stored bits and exponents from `min_exponent` (of the smallest normal) on; the caller handles
// overflow, infinities and NaN. The result is exact in double.
inline double round_to_format(double x, int mantissa, int min_exponent, Round mode) {
  if (x == 0 || !std::isfinite(x)) return x;
  int exponent;
  std::frexp(x, &exponent);  // x = f * 2^exponent, f in [0.5, 1)
  const int ulp = std::max(exponent - 1, min_exponent) - mantissa;
  const double scaled = std::ldexp(x, -ulp);  // below 2^(mantissa + 1): exact
  double rounded;
  switch (mode) {
    case Round::kZero: rounded = std::trunc(scaled); break;
    case Round::kDown: rounded = std::floor(scaled); break;
    case Round::kUp: rounded = std::ceil(scaled); break;
    case Round::kAway: rounded = std::round(scaled); break;
    default: {
      rounded = std::floor(scaled);
      const double rest = scaled - rounded;
      if (rest > 0.5 || (rest == 0.5 && std::fmod(rounded, 2) != 0)) rounded += 1;
    }
  }
  return std::copysign(std::ldexp(rounded, ulp), x);
}

inline float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, magnitude = h & 0x7fff;
  if (magnitude >= 0x7c00) return bits_float(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  const float value = bits_float(magnitude << 13) * 0x1p112f;  // also of denormals
  return bits_float(float_bits(value) | sign);
}

inline uint16_t to_half(double x, Round mode = Round::kNearest) {
  if (std::isnan(x)) return 0x7fff;
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double r = std::fabs(round_to_format(x, 10, -14, mode));
  if (r > 65504) {
    if (std::isinf(x)) return sign | 0x7c00;
    const bool to_max = mode == Round::kZero || (mode == Round::kDown && !sign) || (mode == Round::kUp && sign);
    return sign | (to_max ? 0x7bff : 0x7c00);
  }
  if (r < 0x1p-14) return sign | static_cast<uint16_t>(r * 0x1p24);
  const uint64_t bits = double_bits(r);
  return static_cast<uint16_t>(sign | ((static_cast<int>(bits >> 52) - 1023 + 15) << 10) | (bits >> 42 & 0x3ff));
}

inline float bfloat_to_float(uint16_t b) { return bits_float(static_cast<uint32_t>(b) << 16); }

inline uint16_t to_bfloat(double x, Round mode = Round::kNearest) {
  if (std::isnan(x)) return 0x7fff;
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double r = round_to_format(x, 7, -126, mode);
  if (std::fabs(r) > 0x1.fep127) {
    if (std::isinf(x)) return sign | 0x7f80;
    const bool to_max = mode == Round::kZero || (mode == Round::kDown && !sign) || (mode == Round::kUp && sign);
    return sign | (to_max ? 0x7f7f : 0x7f80);
  }
  return static_cast<uint16_t>(float_bits(static_cast<float>(r)) >> 16);
}

// Round to nearest even from float, without a detour: for results of one float operation whose rounding is innocuous.
inline uint16_t float_to_half(float x) {
  const uint32_t bits = float_bits(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7fff;
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);
  if (magnitude < 0x38800000) {  // denormal: the addition rounds
    const float value = bits_float(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (float_bits(value) - 0x3f000000));
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

inline uint16_t float_to_bfloat(float x) {
  const uint32_t bits = float_bits(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float tf32_to_float(uint32_t bits) { return bits_float(bits & 0xffffe000); }  // the low 13 bits are not read

// a * b + c with one rounding to odd in double, so that a second rounding to a narrow format is the only one that shows.
inline double fma_to_odd(double a, double b, double c) {
  const double product = a * b;  // exact: a and b have at most 24 bits
  const double sum = product + c;
  if (!std::isfinite(sum)) return sum;
  const double back = sum - product, error = (product - (sum - back)) + (c - back);
  if (error == 0) return sum;
  uint64_t bits = double_bits(sum);
  if (bits & 1) return sum;
  bits += (error > 0) == (sum > 0) ? 1 : static_cast<uint64_t>(-1);
  return bits_double(bits);
}

inline float e4m3_to_float(uint8_t v) {
  const int sign = v >> 7, exponent = v >> 3 & 15, mantissa = v & 7;
  if ((v & 0x7f) == 0x7f) return bits_float(0x7fffffff);
  const float value = exponent ? std::ldexp(static_cast<float>(8 + mantissa), exponent - 10) : std::ldexp(static_cast<float>(mantissa), -9);
  return sign ? -value : value;
}

inline float e5m2_to_float(uint8_t v) { return half_to_float(static_cast<uint16_t>(v << 8)); }

// With .satfinite, the only way that PTX has.
inline uint8_t to_e4m3(double x) {
  if (std::isnan(x)) return 0x7f;
  const uint8_t sign = std::signbit(x) ? 0x80 : 0;
  const double r = std::fabs(round_to_format(x, 3, -6, Round::kNearest));
  if (!(r <= 448)) return sign | 0x7e;
  if (r < 0x1p-6) return sign | static_cast<uint8_t>(r * 512);
  const uint64_t bits = double_bits(r);
  return static_cast<uint8_t>(sign | (static_cast<int>(bits >> 52) - 1023 + 7) << 3 | (bits >> 49 & 7));
}

inline uint8_t to_e5m2(double x) {
  if (std::isnan(x)) return 0x7f;
  const uint8_t sign = std::signbit(x) ? 0x80 : 0;
  const double r = std::fabs(round_to_format(x, 2, -14, Round::kNearest));
  if (!(r <= 57344)) return sign | 0x7b;
  if (r < 0x1p-14) return sign | static_cast<uint8_t>(r * 65536);
  const uint64_t bits = double_bits(r);
  return static_cast<uint8_t>(sign | (static_cast<int>(bits >> 52) - 1023 + 15) << 2 | (bits >> 50 & 3));
}

}  // namespace gpusim

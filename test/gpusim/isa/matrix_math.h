// The arithmetic of tensor cores on gathered matrices: products are exact, sums are made in double and rounded once (devices round
// somewhere in between, in an order that nobody documents); integers wrap or saturate at 32 bits.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../ptx/types.h"
#include "float_math.h"

namespace gpusim {

constexpr int kMaxM = 32, kMaxN = 32, kMaxK = 256;

struct Matrices {  // row-major; only m x k, k x n and m x n of them are in use
  double a[kMaxM * kMaxK], b[kMaxK * kMaxN], c[kMaxM * kMaxN];
};

inline double element_value(Type type, uint64_t bits) {
  switch (type) {
    case Type::kF16: return half_to_float(static_cast<uint16_t>(bits));
    case Type::kBf16: return bfloat_to_float(static_cast<uint16_t>(bits));
    case Type::kTf32: return tf32_to_float(static_cast<uint32_t>(bits));
    case Type::kF32: return bits_float(static_cast<uint32_t>(bits));
    case Type::kF64: return bits_double(bits);
    case Type::kE4m3: return e4m3_to_float(static_cast<uint8_t>(bits));
    case Type::kE5m2: return e5m2_to_float(static_cast<uint8_t>(bits));
    case Type::kS8: return static_cast<int8_t>(bits);
    case Type::kU8: return static_cast<uint8_t>(bits);
    case Type::kS4: return static_cast<int>((bits & 15) ^ 8) - 8;
    case Type::kU4: return static_cast<double>(bits & 15);
    case Type::kB1: return static_cast<double>(bits & 1);
    default: return static_cast<int32_t>(bits);
  }
}

inline uint64_t result_bits(Type type, double value, bool saturate_integers) {
  switch (type) {
    case Type::kF16: return to_half(value);
    case Type::kF32: return float_bits(canonical(static_cast<float>(value)));
    case Type::kF64: return double_bits(value);
    default: {
      if (saturate_integers) value = std::clamp(value, -2147483648.0, 2147483647.0);
      return static_cast<uint32_t>(static_cast<int64_t>(value));
    }
  }
}

// c += a * b. op: 0 multiply, 1 xor, 2 and (of bits).
inline void multiply(Matrices& x, int m, int n, int k, Type type, int op) {
  for (int i = 0; i < m; ++i) {
    double sum[kMaxN];
    const bool chained = type == Type::kF64;  // one fused multiply-add after the other, from c on
    for (int j = 0; j < n; ++j) sum[j] = chained ? x.c[i * kMaxN + j] : 0;
    for (int l = 0; l < k; ++l) {
      const double left = x.a[i * kMaxK + l];
      const double* right = x.b + l * kMaxN;
      if (chained) {
        for (int j = 0; j < n; ++j) sum[j] = std::fma(left, right[j], sum[j]);
      } else if (op == 0) {
        for (int j = 0; j < n; ++j) sum[j] += left * right[j];
      } else {
        for (int j = 0; j < n; ++j) sum[j] += op == 1 ? left != right[j] : left * right[j];
      }
    }
    for (int j = 0; j < n; ++j) x.c[i * kMaxN + j] = chained ? sum[j] : sum[j] + x.c[i * kMaxN + j];
  }
}

}  // namespace gpusim

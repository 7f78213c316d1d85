// Windows of tokens -> one row each.
//
//   load a row of the window -> add or compare, four vectors of channels at a time -> store
//
// Floor: read every token once for each window that it is in.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

template <class V>
struct Windows {
  using F32 = typename V::F32;
  static constexpr int kLanes = V::kLanes, kVectors = 4;

  template <int kCount>
  static inline void sum_vectors(const float* x, int64_t stride, int64_t tokens, const float* weight, float scale, float* out) {
    F32 acc[kCount];
#pragma GCC unroll 4
    for (int v = 0; v < kCount; ++v) acc[v] = V::zero();
    for (int64_t t = 0; t < tokens; ++t, x += stride) {
      const F32 w = V::set1(weight == nullptr ? 1.0F : weight[t]);
#pragma GCC unroll 4
      for (int v = 0; v < kCount; ++v) acc[v] = V::fma(w, V::loadu(x + v * kLanes), acc[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < kCount; ++v) V::storeu(out + v * kLanes, acc[v] * V::set1(scale));
  }

  static void sum(const float* x, int64_t stride, int64_t tokens, int64_t dim, const float* weight, float scale, float* out) {
    int64_t c = 0;
    for (; c + kVectors * kLanes <= dim; c += kVectors * kLanes) sum_vectors<kVectors>(x + c, stride, tokens, weight, scale, out + c);
    for (; c + kLanes <= dim; c += kLanes) sum_vectors<1>(x + c, stride, tokens, weight, scale, out + c);
    for (; c < dim; ++c) {
      float acc = 0;
      for (int64_t t = 0; t < tokens; ++t) acc += (weight == nullptr ? 1.0F : weight[t]) * x[t * stride + c];
      out[c] = acc * scale;
    }
  }

  template <int kCount>
  static inline void extreme_vectors(const float* x, int64_t stride, int64_t tokens, float* least, float* greatest) {
    const F32 sign = V::set1(-0.0F);
    F32 high[kCount], low[kCount];  // low: of the negated numbers, so that one word serves both
#pragma GCC unroll 4
    for (int v = 0; v < kCount; ++v) {
      high[v] = V::loadu(x + v * kLanes);
      low[v] = V::float_of(V::xor_u32(V::bits_of(high[v]), V::bits_of(sign)));
    }
    for (int64_t t = 1; t < tokens; ++t) {
      x += stride;
#pragma GCC unroll 4
      for (int v = 0; v < kCount; ++v) {
        const F32 a = V::loadu(x + v * kLanes);
        high[v] = V::max(high[v], a);
        low[v] = V::max(low[v], V::float_of(V::xor_u32(V::bits_of(a), V::bits_of(sign))));
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < kCount; ++v) {
      if (greatest != nullptr) V::storeu(greatest + v * kLanes, high[v]);
      if (least != nullptr) V::storeu(least + v * kLanes, V::float_of(V::xor_u32(V::bits_of(low[v]), V::bits_of(sign))));
    }
  }

  static void extremes(const float* x, int64_t stride, int64_t tokens, int64_t dim, float* least, float* greatest) {
    const auto at = [](float* p, int64_t c) { return p == nullptr ? p : p + c; };
    int64_t c = 0;
    for (; c + kVectors * kLanes <= dim; c += kVectors * kLanes)
      extreme_vectors<kVectors>(x + c, stride, tokens, at(least, c), at(greatest, c));
    for (; c + kLanes <= dim; c += kLanes) extreme_vectors<1>(x + c, stride, tokens, at(least, c), at(greatest, c));
    for (; c < dim; ++c) {
      float low = x[c], high = x[c];
      for (int64_t t = 1; t < tokens; ++t) {
        const float a = x[t * stride + c];
        low = low < a ? low : a;
        high = high > a ? high : a;
      }
      if (least != nullptr) least[c] = low;
      if (greatest != nullptr) greatest[c] = high;
    }
  }
};

}  // namespace
}  // namespace sk

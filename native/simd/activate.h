// The activations of an epilogue, on vectors. All keep NaN.
#pragma once

#include <cstdint>

#include "activation.h"
#include "exp.h"

namespace sk {
namespace {

template <class V>
inline typename V::F32 abs(typename V::F32 x) {
  return V::float_of(V::and_u32(V::bits_of(x), V::set1_u32(0x7FFFFFFF)));
}

// positive where x >= 0, else negative.
template <class V>
inline typename V::F32 by_sign(typename V::F32 x, typename V::F32 positive, typename V::F32 negative) {
  const auto minus = V::template shift_right_i32<31>(V::bits_of(x)), differing = V::xor_u32(V::bits_of(positive), V::bits_of(negative));
  return V::float_of(V::xor_u32(V::bits_of(positive), V::and_u32(differing, minus)));
}

// x * sigmoid(scale * x); e^-|z| cannot overflow, and for negative x nothing cancels.
template <class V>
inline typename V::F32 times_sigmoid(typename V::F32 x, typename V::F32 z) {
  const typename V::F32 one = V::set1(1), e = exp<V>(V::zero() - abs<V>(z));
  return x * by_sign<V>(z, one, e) / (one + e);
}

// x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) = x sigmoid(2 sqrt(2 / pi) (..)).
template <class V>
inline typename V::F32 gelu_tanh(typename V::F32 x) {
  return times_sigmoid<V>(x, x * V::fma(x * x, V::set1(0.0713548162726F), V::set1(1.5957691216057308F)));
}

// x P(X <= x) of the normal distribution. The tail Q(a) = P(X > a), a = |x|, by Abramowitz and Stegun 26.2.17: e^(-a^2 / 2) times a
// polynomial in 1 / (1 + 0.2316419 a), within 7.5e-8; for negative x nothing cancels.
template <class V>
inline typename V::F32 gelu(typename V::F32 x) {
  using F32 = typename V::F32;
  const F32 one = V::set1(1), a = abs<V>(x), t = one / V::fma(V::set1(0.2316419F), a, one);
  F32 p = V::set1(0.530702714F);
  p = V::fma(p, t, V::set1(-0.726576013F));
  p = V::fma(p, t, V::set1(0.710706870F));
  p = V::fma(p, t, V::set1(-0.142248368F));
  p = V::fma(p, t, V::set1(0.127414796F));
  const F32 tail = p * t * exp<V>(a * a * V::set1(-0.5F));
  return x * by_sign<V>(x, one - tail, tail);
}

// sums[count vectors] = f(sums).
template <class V, class F>
inline void each_sum(float* sums, int64_t count, F f) {
  for (int64_t i = 0; i < count * V::kLanes; i += V::kLanes) V::store(sums + i, f(V::load(sums + i)));
}

template <class V>
__attribute__((noinline)) static void activate(float* sums, int64_t count, Activation activation) {
  using F32 = typename V::F32;
  switch (activation) {
    case Activation::kNone: return;
    case Activation::kRelu: return each_sum<V>(sums, count, [](F32 x) { return V::relu(x); });
    case Activation::kGelu: return each_sum<V>(sums, count, [](F32 x) { return gelu<V>(x); });
    case Activation::kGeluTanh: return each_sum<V>(sums, count, [](F32 x) { return gelu_tanh<V>(x); });
    case Activation::kSilu: return each_sum<V>(sums, count, [](F32 x) { return times_sigmoid<V>(x, x); });
  }
}

}  // namespace
}  // namespace sk

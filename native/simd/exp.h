// 2^x and e^x over any vector type.
#pragma once

#include <cstdint>

namespace sk {
namespace {

// 2^x for x <= 126, within 2 ulp; 0 for x <= -127, NaN for NaN. The polynomial is the minimax one with p(0) = 1: relative error 9.2e-8.
template <class V>
static inline typename V::F32 exp2(typename V::F32 x) {
  using F32 = typename V::F32;
  x = V::max(V::set1(-127.0f), x);
  const F32 magic = V::set1(12582912.0f);  // 3 * 2^22: what is added to it is rounded to an integer
  const F32 t = x + magic;
  const F32 f = x - (t - magic);  // in [-1/2, 1/2]; not negative at the lower end, so that the exponent cannot wrap
  F32 p = V::set1(1.3264728e-3f);
  p = V::fma(p, f, V::set1(9.6715130e-3f));
  p = V::fma(p, f, V::set1(5.5507336e-2f));
  p = V::fma(p, f, V::set1(2.4022242e-1f));
  p = V::fma(p, f, V::set1(6.9314700e-1f));
  p = V::fma(p, f, V::set1(1.0f));
  return V::shift_exponent(p, t);
}

template <class V>
static inline typename V::F32 exp(typename V::F32 x) {
  return exp2<V>(x * V::set1(1.44269504088896341F));
}

}  // namespace
}  // namespace sk

// 2^x and e^x over any vector type, to about 1e-7 of the result.
#pragma once

#include <cstdint>

namespace sk {
namespace {

// 2^x = 2^n 2^f with n the nearest integer; 2^f by a polynomial of least relative error on [-1/2, 1/2] (2e-9). Below 2^-126 the result is
// some number below 2^-126; x up to 127.
template <class V>
static inline typename V::F32 exp2(typename V::F32 x) {
  using F32 = typename V::F32;
  using U32 = typename V::U32;
  x = V::max(x, V::set1(-126.5F));
  const F32 magic = V::set1(12582912.0F);  // 3 * 2^22: the sum has n in the low bits of its mantissa
  const F32 t = x + magic, f = x - (t - magic);
  F32 p = V::set1(0x1.41a6fep-13F);
  p = V::fma(p, f, V::set1(0x1.5f44fp-10F));
  p = V::fma(p, f, V::set1(0x1.3b2dfep-7F));
  p = V::fma(p, f, V::set1(0x1.c6aed6p-5F));
  p = V::fma(p, f, V::set1(0x1.ebfbdap-3F));
  p = V::fma(p, f, V::set1(0x1.62e43p-1F));
  p = V::fma(p, f, V::set1(1.0F));
  const U32 exponent = V::template shift_left<23>(V::bits_of(t));
  return V::float_of(V::add_u32(V::bits_of(p), exponent));
}

template <class V>
static inline typename V::F32 exp(typename V::F32 x) {
  return exp2<V>(x * V::set1(1.44269504088896341F));
}

}  // namespace
}  // namespace sk

// 4-bit weights to float32, in the lanes that their words are in.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

// Nibble kJ of each word as 128 + q: where the lowest bit of the fraction of 2^7 that a nibble can fill is bit 16, or-ing it to the bits
// of 128 adds it. No conversion, and no shift for one of eight.
template <class V, int kJ>
inline typename V::F32 nibble(typename V::U32 word) {
  constexpr int kLeft = 16 - 4 * kJ;
  if constexpr (kLeft > 0) word = V::template shift_left<kLeft>(word);
  if constexpr (kLeft < 0) word = V::template shift_right<-kLeft>(word);
  return V::float_of(V::or_u32(V::and_u32(word, V::set1_u32(0x000F0000)), V::set1_u32(0x43000000)));
}

// scale * (q - zero) is scale * (128 + q) + offset. Both products are exact, with scales of 11 bits, and so is the sum.
template <class V>
struct Levels {
  typename V::F32 scale, offset;

  static inline Levels load(const Half* scales, const int8_t* zeros) {
    const typename V::F32 scale = V::load(scales);
    return {scale, V::zero() - scale * (V::set1(128) + (zeros ? V::load(zeros) : V::set1(8)))};
  }
  template <int kJ>
  inline typename V::F32 weight(typename V::U32 word) const {
    return V::fma(nibble<V, kJ>(word), scale, offset);
  }
};

}  // namespace
}  // namespace sk

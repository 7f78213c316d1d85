// Words for products of 8-bit integers, and what they mean: every ISA adds them to its own vocabulary with exactly this meaning.
//
// Of int8 weights all integers lie in -127 .. 127, so that sums are exact: two products are at most 2 * 127 * 127 = 32258 in magnitude,
// which 16 bits hold. Those of 4 bits go further in 16 bits: one factor is at most 15 in magnitude.
#pragma once

#include "vec_portable.h"

namespace sk {
namespace {

template <int kLaneCount>
struct PortableDotTypes;

template <>
struct PortableDotTypes<4> {
  typedef int32_t I32 __attribute__((vector_size(16)));
  typedef int16_t I16 __attribute__((vector_size(8)));
  typedef int16_t Shorts __attribute__((vector_size(16)));
};

template <>
struct PortableDotTypes<16> {
  typedef int32_t I32 __attribute__((vector_size(64)));
  typedef int16_t I16 __attribute__((vector_size(32)));
  typedef int16_t Shorts __attribute__((vector_size(64)));
};

template <int kLaneCount>
struct PortableDot : Portable<kLaneCount> {
  static constexpr int kLanes = kLaneCount;
  using F32 = typename Portable<kLaneCount>::F32;
  using U32 = typename Portable<kLaneCount>::U32;
  using I32 = typename PortableDotTypes<kLaneCount>::I32;
  using Bytes = U32;                                             // four in each lane
  using Shorts = typename PortableDotTypes<kLaneCount>::Shorts;  // two in each lane
  static constexpr int kPieces = kLanes / 4;                     // of 16 bytes

  static inline I32 zero_i32() { return I32{}; }
  static inline I32 load_i32(const void* p) {  // p is aligned to the vector
    I32 a;
    __builtin_memcpy(&a, p, sizeof(a));
    return a;
  }
  static inline void store_i32(void* p, I32 a) { __builtin_memcpy(p, &a, sizeof(a)); }
  static inline I32 add_i32(I32 a, I32 b) { return a + b; }
  static inline F32 to_float(I32 a) { return __builtin_convertvector(a, F32); }

  // Numbers of 2L tokens, the first L and the last L, as 16-bit integers in the order that add_pairs() wants. Rounded to nearest, ties to
  // even. p is aligned to the vector.
  static inline void store_shorts(int16_t* p, F32 low, F32 high) {
    for (int l = 0; l < kLanes; ++l) {
      p[l] = static_cast<int16_t>(rounded(low[l]));
      p[kLanes + l] = static_cast<int16_t>(rounded(high[l]));
    }
  }
  // 2L bytes to 16-bit integers; `to` is aligned to the vector.
  static inline void widen_bytes(const int8_t* p, int16_t* to) {
    for (int i = 0; i < 2 * kLanes; ++i) to[i] = p[i];
  }
  // Two 16-bit integers, repeated.
  struct Pair {
    int32_t first, second;
  };
  static inline Pair splat_pair(const int16_t* p) { return {p[0], p[1]}; }
  static inline void splat_pairs(const int16_t* p, Pair& first, Pair& second) { first = splat_pair(p), second = splat_pair(p + 2); }
  // low += w[0] * a + w[1] * b for the first L tokens, high the same for the last L.
  static inline void add_pairs(const int16_t* a, const int16_t* b, Pair w, I32& low, I32& high) {
    low += w.first * shorts(a) + w.second * shorts(b);
    high += w.first * shorts(a + kLanes) + w.second * shorts(b + kLanes);
  }

  // The same for one vector that holds two numbers of each of L tokens.
  static inline void add_pair(const int16_t* ab, Pair w, I32& acc) {
    for (int l = 0; l < kLanes; ++l) acc[l] += w.first * ab[2 * l] + w.second * ab[2 * l + 1];
  }
  // Integers, rounded as above.
  static inline U32 to_steps_u32(F32 a) {
    U32 i;
    for (int l = 0; l < kLanes; ++l) i[l] = static_cast<uint32_t>(rounded(a[l]));
    return i;
  }

  // L bytes, rounded as above.
  static inline void store_bytes(int8_t* p, F32 a) {
    for (int l = 0; l < kLanes; ++l) p[l] = static_cast<int8_t>(rounded(a[l]));
  }
  static inline Bytes load_bytes(const int8_t* p) {  // 4L of them
    Bytes a;
    __builtin_memcpy(&a, p, sizeof(a));
    return a;
  }
  // 16 bytes, repeated in every 128-bit part.
  static inline Bytes load_window(const int8_t* p) {
    Bytes a;
    for (int part = 0; part < kLanes / 4; ++part) __builtin_memcpy(reinterpret_cast<char*>(&a) + 16 * part, p, 16);
    return a;
  }
  // Byte i of the result: the byte of the window that the low four bits of byte i of the index name; 0 where its bit 7 is set.
  static inline Bytes pick(Bytes window, U32 index) {
    alignas(64) uint8_t from[4 * kLanes], at[4 * kLanes], picked[4 * kLanes];
    __builtin_memcpy(from, &window, sizeof(from));
    __builtin_memcpy(at, &index, sizeof(at));
#pragma GCC unroll 1
    for (int i = 0; i < 4 * kLanes; ++i) picked[i] = at[i] & 0x80 ? uint8_t{0} : from[at[i] & 15];
    Bytes a;
    __builtin_memcpy(&a, picked, sizeof(a));
    return a;
  }
  // acc + the four products of each lane.
  static inline I32 dot_bytes(I32 acc, Bytes x, Bytes w) {
    for (int shift = 24; shift >= 0; shift -= 8) acc += ((I32)(x << shift) >> 24) * ((I32)(w << shift) >> 24);
    return acc;
  }

  // Pieces of 16 bytes, of any alignment.
  static inline Bytes load_pieces(const void* const (&p)[kLaneCount / 4]) {
    Bytes a;
    for (int i = 0; i < kPieces; ++i) __builtin_memcpy(reinterpret_cast<char*>(&a) + 16 * i, p[i], 16);
    return a;
  }
  // In all lanes of each piece its lane kI.
  template <int kI>
  static inline F32 splat_in_pieces(F32 a) {
    F32 b;
    for (int l = 0; l < kLanes; ++l) b[l] = a[l / 4 * 4 + kI];
    return b;
  }
  // Element l >> kShift in lane l, widened; byte l >> kShift in all of lane l. L of them are read.
  template <int kShift>
  static inline F32 load_each(const Half* p) {
    F32 a;
    for (int l = 0; l < kLanes; ++l) a[l] = widen(p[l >> kShift]);
    return a;
  }
  template <int kShift>
  static inline Bytes splat_bytes(const int8_t* p) {
    Bytes a;
    for (int l = 0; l < kLanes; ++l) a[l] = static_cast<uint8_t>(p[l >> kShift]) * 0x01010101u;
    return a;
  }
  static inline Bytes add_bytes(Bytes a, Bytes b) {
    return each_byte(a, b, [](int x, int y) { return x + y; });
  }
  static inline Bytes sub_bytes(Bytes a, Bytes b) {
    return each_byte(a, b, [](int x, int y) { return x - y; });
  }

  static inline Shorts zero_shorts() { return Shorts{}; }
  static inline Shorts add_shorts(Shorts a, Shorts b) { return a + b; }
  static inline Shorts sub_shorts(Shorts a, Shorts b) { return a - b; }
  // Sums of two products each, of bytes without a sign and bytes with one. 16 bits must hold them.
  static inline Shorts dot_pairs(Bytes without, Bytes with) {
    alignas(64) uint8_t a[4 * kLanes];
    alignas(64) int8_t b[4 * kLanes];
    __builtin_memcpy(a, &without, sizeof(a));
    __builtin_memcpy(b, &with, sizeof(b));
    Shorts sums;
#pragma GCC unroll 1
    for (int i = 0; i < 2 * kLanes; ++i) sums[i] = static_cast<int16_t>(a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1]);
    return sums;
  }
  // The sums of the two of each lane.
  static inline I32 sum_pairs(Shorts a) {
    I32 sums;
    for (int l = 0; l < kLanes; ++l) sums[l] = a[2 * l] + a[2 * l + 1];
    return sums;
  }

 private:
  template <class F>
  static inline Bytes each_byte(Bytes a, Bytes b, F f) {
    alignas(64) uint8_t x[4 * kLanes], y[4 * kLanes];
    __builtin_memcpy(x, &a, sizeof(x));
    __builtin_memcpy(y, &b, sizeof(y));
    for (int i = 0; i < 4 * kLanes; ++i) x[i] = static_cast<uint8_t>(f(x[i], y[i]));
    __builtin_memcpy(&a, x, sizeof(x));
    return a;
  }
  using I16 = typename PortableDotTypes<kLaneCount>::I16;
  static inline I32 shorts(const int16_t* p) { return __builtin_convertvector(*reinterpret_cast<const I16*>(p), I32); }
  static inline int rounded(float a) { return static_cast<int>(__builtin_rintf(a)); }
};

}  // namespace
}  // namespace sk

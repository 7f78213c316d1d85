// Portable words for the kernels, and the specification of the vocabulary: every ISA header defines a type with these members and
// exactly this meaning. F32 also has the operators + - * / of vector types. kLanes 4 is the scalar variant (the compiler maps it to
// whatever the target has); kLanes 16 runs the AVX-512 instantiation of a kernel on machines that lack AVX-512, so that only the thin
// wrappers of vec_avx512.h remain untested there.
#pragma once

#include <cstdint>

#include "half.h"

namespace sk {
namespace {

template <int kLaneCount>
struct PortableTypes;

template <>
struct PortableTypes<4> {
  typedef float F32 __attribute__((vector_size(16)));
  typedef uint32_t U32 __attribute__((vector_size(16)));
};

template <>
struct PortableTypes<16> {
  typedef float F32 __attribute__((vector_size(64)));
  typedef uint32_t U32 __attribute__((vector_size(64)));
};

template <int kLaneCount>
struct Portable {
  static constexpr int kLanes = kLaneCount;
  using F32 = typename PortableTypes<kLaneCount>::F32;
  using U32 = typename PortableTypes<kLaneCount>::U32;

  static inline F32 zero() { return F32{}; }
  static inline F32 set1(float x) {
    F32 a;
    for (int i = 0; i < kLanes; ++i) a[i] = x;
    return a;
  }
  static inline F32 load(const float* p) { return *reinterpret_cast<const F32*>(p); }  // p is aligned to the vector
  static inline F32 held(F32 a) { return a; }
  static inline F32 loadu(const float* p) {
    F32 a;
    __builtin_memcpy(&a, p, sizeof(a));
    return a;
  }
  static inline void store(float* p, F32 a) { *reinterpret_cast<F32*>(p) = a; }
  static inline void storeu(float* p, F32 a) { __builtin_memcpy(p, &a, sizeof(a)); }
  // 16-bit floats, any alignment: widened exactly (a NaN becomes quiet); rounded to nearest, ties to even.
  static inline F32 load(const Half* p) { return widened(p); }
  static inline F32 load(const BHalf* p) { return widened(p); }
  static inline void store(Half* p, F32 a) { narrowed(p, a); }
  static inline void store(BHalf* p, F32 a) { narrowed(p, a); }
  static inline F32 load(const int8_t* p) {
    F32 a;
    for (int i = 0; i < kLanes; ++i) a[i] = p[i];
    return a;
  }

  static inline F32 fma(F32 a, F32 b, F32 c) { return a * b + c; }  // fused or not, as the target likes
  static inline F32 relu(F32 a) {                                   // NaN stays NaN
    for (int i = 0; i < kLanes; ++i) a[i] = a[i] < 0 ? 0 : a[i];
    return a;
  }
  static inline F32 max(F32 a, F32 b) {  // b where either is NaN
    for (int i = 0; i < kLanes; ++i) a[i] = a[i] > b[i] ? a[i] : b[i];
    return a;
  }
  static inline void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }
  static inline void prefetch_early(const void* p) { prefetch(p); }
  // a * 2^n, where n is the integer in the low bits of t's mantissa: t = n + 3 * 2^22. No care is taken of overflow.
  static inline F32 shift_exponent(F32 a, F32 t) { return (F32)((U32)a + ((U32)t << 23)); }
  // a where low <= k <= high (signed), elsewhere -infinity.
  static inline F32 within(F32 a, const int32_t* low, const int32_t* high, int32_t k) {
    for (int i = 0; i < kLanes; ++i) a[i] = low[i] <= k && k <= high[i] ? a[i] : -__builtin_inff();
    return a;
  }
  // Lane i: the sum of the lanes of a[i].
  static inline F32 sums(const F32 (&a)[kLaneCount]) {
    F32 sum = zero();
    for (int i = 0; i < kLanes; ++i)
      for (int l = 0; l < kLanes; ++l) sum[i] += a[i][l];
    return sum;
  }

  // Quad: four consecutive floats repeated in every 128-bit part; splat<i> fills the vector with the i-th of them.
  // One quad load and four register shuffles replace four broadcast loads: the load ports are what bounds the many-token kernel.
  struct Quad {
    float v[4];
  };
  template <class T>
  static inline Quad load_quad(const T* p) {  // T: float, Half, BHalf, int8_t; any alignment
    return {{element(p), element(p + 1), element(p + 2), element(p + 3)}};
  }
  template <int kI>
  static inline F32 splat(const Quad& q) {
    return set1(q.v[kI]);
  }
  // Transposing load of the quads of kLanes rows: out[i], lane l = float i of lane l's quad. The quads lie in the order that makes this a
  // 4x4 transpose inside 128-bit parts: lanes 0, 4, 8 .., then 1, 5, 9 .., then 2, 6, 10 .., then 3, 7, 11 ..; p is aligned to the vector.
  template <class T>
  static inline void load_quads(const T* p, F32 (&out)[4]) {
    for (int i = 0; i < 4; ++i)
      for (int l = 0; l < kLanes; ++l) out[i][l] = element(p + 4 * (l % 4 * (kLanes / 4) + l / 4) + i);
  }

  static inline U32 load_u32(const uint32_t* p) { return *reinterpret_cast<const U32*>(p); }
  static inline U32 loadu_u32(const uint32_t* p) {
    U32 a;
    __builtin_memcpy(&a, p, sizeof(a));
    return a;
  }
  static inline void storeu_u32(uint32_t* p, U32 a) { __builtin_memcpy(p, &a, sizeof(a)); }
  static inline U32 set1_u32(uint32_t x) { return U32{} + x; }
  static inline U32 iota() {  // lane l holds l
    U32 a;
    for (int l = 0; l < kLanes; ++l) a[l] = static_cast<uint32_t>(l);
    return a;
  }
  static inline U32 bits_of(F32 a) { return (U32)a; }
  static inline F32 float_of(U32 a) { return (F32)a; }
  static inline U32 add_u32(U32 a, U32 b) { return a + b; }
  static inline U32 sub_u32(U32 a, U32 b) { return a - b; }
  static inline U32 and_u32(U32 a, U32 b) { return a & b; }
  static inline U32 or_u32(U32 a, U32 b) { return a | b; }
  static inline U32 xor_u32(U32 a, U32 b) { return a ^ b; }
  static inline U32 greater_i32(U32 a, U32 b) {  // signed; all ones where true
    U32 c;
    for (int l = 0; l < kLanes; ++l) c[l] = static_cast<int32_t>(a[l]) > static_cast<int32_t>(b[l]) ? 0xFFFFFFFFu : 0u;
    return c;
  }
  template <int kBits>
  static inline U32 shift_left(U32 a) {
    return a << kBits;
  }
  template <int kBits>
  static inline U32 shift_right(U32 a) {
    return a >> kBits;
  }
  template <int kBits>
  static inline U32 shift_right_i32(U32 a) {  // copies of the sign come in
    for (int l = 0; l < kLanes; ++l) a[l] = static_cast<uint32_t>(static_cast<int32_t>(a[l]) >> kBits);
    return a;
  }

  // Comparisons as lane bits: bit l is lane l. NaN compares false.
  static inline uint32_t lanes_greater(F32 a, F32 b) {
    return lanes([&](int l) { return a[l] > b[l]; });
  }
  static inline uint32_t lanes_equal(F32 a, F32 b) {
    return lanes([&](int l) { return a[l] == b[l]; });
  }
  static inline uint32_t lanes_nan(F32 a, F32 b) {  // in one of both
    return lanes([&](int l) { return a[l] != a[l] || b[l] != b[l]; });
  }
  static inline uint32_t lanes_set(U32 a) {
    return lanes([&](int l) { return a[l] >> 31 != 0; });
  }  // the lanes' sign bits
  static inline int count(uint32_t lane_bits) {
    int n = 0;
    for (; lane_bits != 0; lane_bits &= lane_bits - 1) ++n;
    return n;
  }
  static inline F32 keep(F32 a, uint32_t lane_bits) {  // 0 where the bit is not set
    for (int l = 0; l < kLanes; ++l) a[l] = lane_bits >> l & 1 ? a[l] : 0;
    return a;
  }
  // The lanes whose bits are set move to the front, in order; the others are undefined.
  static inline U32 compress(U32 a, uint32_t lane_bits) {
    int to = 0;
    for (int l = 0; l < kLanes; ++l)
      if (lane_bits >> l & 1) a[to++] = a[l];
    return a;
  }

  // 128-bit parts: part j lies at p + j * stride (in floats).
  static inline F32 load_parts(const float* p, int64_t stride) {
    F32 a;
    for (int l = 0; l < kLanes; ++l) a[l] = p[l / 4 * stride + l % 4];
    return a;
  }
  static inline void store_parts(float* p, int64_t stride, F32 a) {
    for (int l = 0; l < kLanes; ++l) p[l / 4 * stride + l % 4] = a[l];
  }
  // 4x4 transpose inside the 128-bit parts; its own inverse.
  static inline void transpose_quads(F32 (&r)[4]) {
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < i; ++j)
        for (int part = 0; part < kLanes; part += 4) {
          const float t = r[i][part + j];
          r[i][part + j] = r[j][part + i];
          r[j][part + i] = t;
        }
  }

  // Table<M>: M consecutive floats, aligned to min(M, kLanes) floats. pick() chooses one per lane by the low log2(M) bits of the
  // index; higher bits are ignored.
  template <int kM>
  struct Table {
    const float* p;
    static inline Table load(const float* p) { return {p}; }
    inline F32 pick(U32 index) const {
      F32 a;
      for (int l = 0; l < kLanes; ++l) a[l] = p[index[l] % kM];
      return a;
    }
  };

  static inline float element(const float* p) { return *p; }
  static inline float element(const Half* p) { return widen(*p); }
  static inline float element(const BHalf* p) { return widen(*p); }
  static inline float element(const int8_t* p) { return *p; }
  template <class T>
  static inline F32 widened(const T* p) {
    F32 a;
    for (int i = 0; i < kLanes; ++i) a[i] = widen(p[i]);
    return a;
  }
  template <class T>
  static inline void narrowed(T* p, F32 a) {
    for (int i = 0; i < kLanes; ++i) narrow(a[i], p + i);
  }

  // Row i, lane j <-> row j, lane i.
  static inline void transpose(F32 (&r)[kLaneCount]) {
    for (int i = 0; i < kLanes; ++i)
      for (int j = 0; j < i; ++j) {
        const float t = r[i][j];
        r[i][j] = r[j][i];
        r[j][i] = t;
      }
  }

 private:
  template <class Test>
  static inline uint32_t lanes(Test test) {
    uint32_t bits = 0;
    for (int l = 0; l < kLanes; ++l) bits |= static_cast<uint32_t>(test(l)) << l;
    return bits;
  }
};

}  // namespace
}  // namespace sk

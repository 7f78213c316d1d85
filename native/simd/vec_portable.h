// Portable words for the kernels, and the specification of the vocabulary: every ISA header defines a type with these members and
// exactly this meaning. kLanes 4 is the scalar variant (the compiler maps it to whatever the target has); kLanes 16 runs the AVX-512
// instantiation of a kernel on machines that lack AVX-512, so that only the thin wrappers of vec_avx512.h remain untested there.
#pragma once

#include <cstdint>

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
  static inline F32 loadu(const float* p) {
    F32 a;
    __builtin_memcpy(&a, p, sizeof(a));
    return a;
  }
  static inline void store(float* p, F32 a) { *reinterpret_cast<F32*>(p) = a; }
  static inline void storeu(float* p, F32 a) { __builtin_memcpy(p, &a, sizeof(a)); }
  static inline F32 fma(F32 a, F32 b, F32 c) { return a * b + c; }  // fused or not, as the target likes
  static inline F32 relu(F32 a) {                                   // NaN stays NaN
    for (int i = 0; i < kLanes; ++i) a[i] = a[i] < 0 ? 0 : a[i];
    return a;
  }
  static inline void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }

  // Quad: four consecutive floats repeated in every 128-bit part; splat<i> fills the vector with the i-th of them.
  // One quad load and four register shuffles replace four broadcast loads: the load ports are what bounds the many-token kernel.
  struct Quad {
    float v[4];
  };
  static inline Quad load_quad(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
  template <int kI>
  static inline F32 splat(const Quad& q) {
    return set1(q.v[kI]);
  }
  // Transposing load of the quads of kLanes rows: out[i], lane l = float i of lane l's quad. The quads lie in the order that makes this a
  // 4x4 transpose inside 128-bit parts: lanes 0, 4, 8 .., then 1, 5, 9 .., then 2, 6, 10 .., then 3, 7, 11 ..; p is aligned to the vector.
  static inline void load_quads(const float* p, F32 (&out)[4]) {
    for (int i = 0; i < 4; ++i)
      for (int l = 0; l < kLanes; ++l) out[i][l] = p[4 * (l % 4 * (kLanes / 4) + l / 4) + i];
  }

  static inline U32 load_u32(const uint32_t* p) { return *reinterpret_cast<const U32*>(p); }
  template <int kBits>
  static inline U32 shift_right(U32 a) {
    return a >> kBits;
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

  // Row i, lane j <-> row j, lane i.
  static inline void transpose(F32 (&r)[kLaneCount]) {
    for (int i = 0; i < kLanes; ++i)
      for (int j = 0; j < i; ++j) {
        const float t = r[i][j];
        r[i][j] = r[j][i];
        r[j][i] = t;
      }
  }
};

}  // namespace
}  // namespace sk

// Dense tensor-core products of float16 and bfloat16, and what attention needs beside them. Fragment layouts: native/cuda/ptx.h.
#pragma once

#include "../../cuda/ptx.h"
#include "../../simd/half.h"

namespace sk::ptx {

template <int kOffset>
__device__ inline void store_shared4(uint32_t address, const uint32_t (&r)[4]) {
  asm volatile("st.shared.v4.u32 [%0 + %5], {%1, %2, %3, %4};\n" ::"r"(address), "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]), "n"(kOffset)
               : "memory");
}

// d = a * b + c, 16 x 16 times 16 x 8. c is given apart so that a sum may begin with any value at no cost.
__device__ inline void mma(Half, float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, float c0, float c1, float c2, float c3) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};\n"
               : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(c0), "f"(c1), "f"(c2), "f"(c3));
}
__device__ inline void mma(BHalf, float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, float c0, float c1, float c2, float c3) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};\n"
               : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(c0), "f"(c1), "f"(c2), "f"(c3));
}
template <class T>
__device__ inline void mma(T type, float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  mma(type, d, a, b0, b1, d[0], d[1], d[2], d[3]);
}

// As cp_async16, from a constant further on.
template <int kTo, int kFrom>
__device__ inline void cp_async16_at(uint32_t to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0 + %2], [%1 + %3], 16;\n" ::"r"(to), "l"(from), "n"(kTo), "n"(kFrom) : "memory");
}

// base + index * bytes, in one instruction.
__device__ inline const char* row_address(const char* base, int32_t index, int32_t bytes) {
  const char* row;
  asm("mad.wide.s32 %0, %1, %2, %3;\n" : "=l"(row) : "r"(index), "r"(bytes), "l"(base));
  return row;
}

// Makes the compiler keep a value that it would compute again at each use.
template <class V>
__device__ inline V kept(V value) {
  if constexpr (sizeof(V) == 8)
    asm volatile("" : "+l"(value));
  else
    asm volatile("" : "+r"(value));
  return value;
}

__device__ inline uint32_t or3(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t d;
  asm("lop3.b32 %0, %1, %2, %3, 0xfe;\n" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

// 2^x to about 2^-22.
__device__ inline float exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

// Two elements, the first in the low half.
__device__ inline uint32_t pack(Half, float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;\n" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ inline uint32_t pack(BHalf, float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

}  // namespace sk::ptx

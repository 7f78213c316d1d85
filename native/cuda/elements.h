// The element types of DType on the device. Without cuda_fp16.h and cuda_bf16.h, which take half of the time that a kernel takes to
// compile.
#pragma once

#include "../core/tensor.h"
#include "../simd/half.h"

namespace sk {

template <class T>
__device__ inline T narrow_to(float x);
template <>
__device__ inline float narrow_to<float>(float x) {
  return x;
}
template <>
__device__ inline Half narrow_to<Half>(float x) {
  Half h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.bits) : "f"(x));
  return h;
}
template <>
__device__ inline BHalf narrow_to<BHalf>(float x) {
  BHalf h;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h.bits) : "f"(x));
  return h;
}

__device__ inline float widen_from(float x) { return x; }
__device__ inline float widen_from(Half x) {
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
}
__device__ inline float widen_from(BHalf x) { return __uint_as_float(static_cast<uint32_t>(x.bits) << 16); }

// Two elements of a word.
__device__ inline void widen_pair(Half, uint32_t pair, float& low, float& high) {
  asm("{\n.reg .b16 l, h;\nmov.b32 {l, h}, %2;\ncvt.f32.f16 %0, l;\ncvt.f32.f16 %1, h;\n}" : "=f"(low), "=f"(high) : "r"(pair));
}
__device__ inline void widen_pair(BHalf, uint32_t pair, float& low, float& high) {
  low = __uint_as_float(pair << 16), high = __uint_as_float(pair & 0xFFFF0000);
}

// Element `at` of an array of float32, float16 or bfloat16. The type is the same for all threads, so that one kernel serves all at the
// price of a branch that never diverges.
__device__ inline float widen_element(const void* x, DType type, int64_t at) {
  switch (type) {
    case DType::kFloat32: return static_cast<const float*>(x)[at];
    case DType::kFloat16: return widen_from(static_cast<const Half*>(x)[at]);
    default: return widen_from(static_cast<const BHalf*>(x)[at]);
  }
}

}  // namespace sk

// The element types of DType on the device.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

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
  return {__half_as_ushort(__float2half_rn(x))};
}
template <>
__device__ inline BHalf narrow_to<BHalf>(float x) {
  return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
}

__device__ inline float widen_from(float x) { return x; }
__device__ inline float widen_from(Half x) { return __half2float(__ushort_as_half(x.bits)); }
__device__ inline float widen_from(BHalf x) { return __bfloat162float(__ushort_as_bfloat16(x.bits)); }

}  // namespace sk

// x as numbers of fewer bits, each token by itself: x[t, i] = scale[t] * q[t, i].
//   int8:    scale = max |x| / 127. A token with NaN or infinity gets the scale NaN, so that its outputs are NaN; its integers are
//   harmless. float16: scale is a power of two, with which the largest finite |x| becomes 2^14 .. 2^15: nothing overflows, and what gets
//   less than the
//            11 bits of float16, or is lost, is less than 2^-28 of the largest. bfloat16 x loses nothing else.
#pragma once

#include "../../cuda/elements.h"

namespace sk {

constexpr int kQuantiseThreads = 256;

// Elements [at, at + 4) of x, zeros from `end` on; one load where they are aligned.
__device__ inline void load_four(const void* x, DType type, int64_t at, int64_t end, float (&four)[4]) {
  const int bytes = type == DType::kFloat32 ? 4 : 2;
  const char* from = static_cast<const char*>(x) + at * bytes;
  if (at + 4 > end || reinterpret_cast<uintptr_t>(from) % (4 * bytes) != 0) {
#pragma unroll
    for (int i = 0; i < 4; ++i) four[i] = at + i < end ? widen_element(x, type, at + i) : 0.0f;
  } else if (type == DType::kFloat32) {
    const float4 whole = *reinterpret_cast<const float4*>(from);
    four[0] = whole.x, four[1] = whole.y, four[2] = whole.z, four[3] = whole.w;
  } else {
    const uint2 pairs = *reinterpret_cast<const uint2*>(from);
    if (type == DType::kFloat16) {
      widen_pair(Half(), pairs.x, four[0], four[1]);
      widen_pair(Half(), pairs.y, four[2], four[3]);
    } else {
      widen_pair(BHalf(), pairs.x, four[0], four[1]);
      widen_pair(BHalf(), pairs.y, four[2], four[3]);
    }
  }
}

// Bits of a magnitude are in the order of magnitudes; infinity and NaN come last.
constexpr uint32_t kInfinity = 0x7F800000;

// What a largest magnitude asks for, where those that are not finite count, and where they do not.
__device__ inline float scale_of(int8_t, uint32_t largest) {
  return largest < kInfinity ? __uint_as_float(largest) / 127 : __uint_as_float(0x7FC00000);
}
__device__ inline float scale_of(Half, uint32_t largest) {
  const uint32_t exponent = largest >> 23;  // the inverse must be finite; 0: of zero, too
  return __uint_as_float(exponent == 0 ? 0x3F800000 : max(exponent, 30u) - 14 << 23);
}
__device__ inline bool counts(int8_t, uint32_t) { return true; }
__device__ inline bool counts(Half, uint32_t magnitude) { return magnitude < kInfinity; }

__device__ inline void store_four(int8_t* to, const float (&four)[4]) {
  uint32_t packed = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int q = min(max(__float2int_rn(four[i]), -127), 127);  // NaN, of 0 / 0, becomes 0
    packed |= static_cast<uint32_t>(q & 0xFF) << i * 8;
  }
  *reinterpret_cast<uint32_t*>(to) = packed;
}
__device__ inline void store_four(Half* to, const float (&four)[4]) {
  uint32_t bits[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) bits[i] = narrow_to<Half>(four[i]).bits;
  *reinterpret_cast<uint2*>(to) = make_uint2(bits[0] | bits[1] << 16, bits[2] | bits[3] << 16);
}

// The largest of the threads of a token: a warp, or the whole block, whose threads all call this.
__device__ inline uint32_t largest_of_token(uint32_t largest) {
  __shared__ uint32_t of_warp[kQuantiseThreads / 32];
  largest = __reduce_max_sync(0xFFFFFFFF, largest);
  if (blockDim.x == 32) return largest;
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = largest;
  __syncthreads();
  return __reduce_max_sync(0xFFFFFFFF, of_warp[threadIdx.x % (kQuantiseThreads / 32)]);
}

// x [tokens, in] of float32, float16 or bfloat16 to rows of `pitch` elements, a multiple of 4; those past `in` become 0. A block has
// blockDim.y tokens, each with a warp, or one.
template <class T>
__global__ void quantise_rows(const void* x, DType type, int64_t tokens, int64_t in, T* to, int64_t pitch, float* scales) {
  const int64_t token = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (token >= tokens) return;
  const int64_t begin = token * in, end = begin + in, own = threadIdx.x * 4, stride = blockDim.x * 4;
  float four[4];
  uint32_t largest = 0;
  for (int64_t first = own; first < in; first += stride) {
    load_four(x, type, begin + first, end, four);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint32_t magnitude = __float_as_uint(four[i]) & 0x7FFFFFFF;
      largest = max(largest, counts(T(), magnitude) ? magnitude : 0);
    }
  }
  const float scale = scale_of(T(), largest_of_token(largest)), inverse = 1 / scale;
  if (threadIdx.x == 0) scales[token] = scale;
  for (int64_t first = own; first < pitch; first += stride) {
    load_four(x, type, begin + first, end, four);
#pragma unroll
    for (int i = 0; i < 4; ++i) four[i] *= inverse;
    store_four(to + token * pitch + first, four);
  }
}

// x [tokens, in] of any of these types to rows of `fours` times four tf32 as float32; those past `in` become 0. One thread makes four.
__global__ void round_rows(const void* x, DType type, int64_t tokens, int64_t in, uint32_t* to, int64_t fours) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kQuantiseThreads + threadIdx.x;
  if (at >= tokens * fours) return;
  const int64_t token = at / fours, first = at % fours * 4;
  float four[4];
  load_four(x, type, token * in + first, (token + 1) * in, four);
  uint32_t rounded[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(rounded[i]) : "f"(four[i]));
  reinterpret_cast<uint4*>(to)[at] = make_uint4(rounded[0], rounded[1], rounded[2], rounded[3]);
}

}  // namespace sk

// x as int8, each token by itself: x[t, i] = scale[t] * q[t, i], scale[t] = max |x[t, .]| / 127. A token with NaN or infinity gets the
// scale NaN, so that its outputs are NaN; its integers are harmless.
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

// x [tokens, in] of float32, float16 or bfloat16 to rows of `pitch` bytes, a multiple of 4; those past `in` become 0. A warp has a token.
__global__ void quantise_rows(const void* x, DType type, int64_t tokens, int64_t in, int8_t* to, int64_t pitch, float* scales) {
  const int64_t token = static_cast<int64_t>(blockIdx.x) * (kQuantiseThreads / 32) + threadIdx.x / 32;
  if (token >= tokens) return;
  const int lane = threadIdx.x % 32;
  const int64_t begin = token * in, end = begin + in;
  float four[4];
  uint32_t largest = 0;  // of magnitudes, whose bits are in their order; those of NaN come last
  for (int64_t first = lane * 4; first < in; first += 128) {
    load_four(x, type, begin + first, end, four);
#pragma unroll
    for (int i = 0; i < 4; ++i) largest = max(largest, __float_as_uint(four[i]) & 0x7FFFFFFF);
  }
  largest = __reduce_max_sync(0xFFFFFFFF, largest);
  const float scale = largest < 0x7F800000 ? __uint_as_float(largest) / 127 : __uint_as_float(0x7FC00000), inverse = 1 / scale;
  if (lane == 0) scales[token] = scale;
  for (int64_t first = lane * 4; first < pitch; first += 128) {
    load_four(x, type, begin + first, end, four);
    uint32_t packed = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int q = min(max(__float2int_rn(four[i] * inverse), -127), 127);  // NaN, of 0 / 0, becomes 0
      packed |= static_cast<uint32_t>(q & 0xFF) << i * 8;
    }
    *reinterpret_cast<uint32_t*>(to + token * pitch + first) = packed;
  }
}

}  // namespace sk

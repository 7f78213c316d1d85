// x as int8, each token by itself: x[t, i] = scale[t] * q[t, i], scale[t] = max |x[t, .]| / 127. A token with NaN or infinity gets the
// scale NaN, so that its outputs are NaN; its integers are harmless.
#pragma once

#include "../../cuda/elements.h"

namespace sk {

constexpr int kQuantiseThreads = 256;

// x [tokens, in] of float32, float16 or bfloat16 to rows of `pitch` bytes, a multiple of 4; those past `in` become 0. A warp has a token.
__global__ void quantise_rows(const void* x, DType type, int64_t tokens, int64_t in, int8_t* to, int64_t pitch, float* scales) {
  const int64_t token = static_cast<int64_t>(blockIdx.x) * (kQuantiseThreads / 32) + threadIdx.x / 32;
  if (token >= tokens) return;
  const int lane = threadIdx.x % 32;
  uint32_t largest = 0;  // of magnitudes, whose bits are in their order; those of NaN come last
  for (int64_t i = lane; i < in; i += 32) largest = max(largest, __float_as_uint(widen_element(x, type, token * in + i)) & 0x7FFFFFFF);
  largest = __reduce_max_sync(0xFFFFFFFF, largest);
  const float scale = largest < 0x7F800000 ? __uint_as_float(largest) / 127 : __uint_as_float(0x7FC00000), inverse = 1 / scale;
  if (lane == 0) scales[token] = scale;
  for (int64_t first = lane * 4; first < pitch; first += 128) {
    uint32_t four = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float steps = first + i < in ? widen_element(x, type, token * in + first + i) * inverse : 0.0f;
      const int q = min(max(__float2int_rn(steps), -127), 127);  // NaN, of 0 / 0, becomes 0
      four |= static_cast<uint32_t>(q & 0xFF) << i * 8;
    }
    *reinterpret_cast<uint32_t*>(to + token * pitch + first) = four;
  }
}

}  // namespace sk

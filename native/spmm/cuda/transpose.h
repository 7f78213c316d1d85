// x as cells need it: transposed and float32.
#pragma once

#include "../../cuda/elements.h"

namespace sk {

// x [tokens, in] of float32, float16 or bfloat16 to [inputs, pitch] float32, where tokens and inputs that are not there become 0. A block
// of 32 x 8 threads turns 32 x 32 in shared memory; grid: tokens, inputs.
__global__ void transpose_rows(const void* x, DType type, int64_t tokens, int64_t in, float* to, int64_t pitch) {
  __shared__ float turned[32][33];
  const int64_t first_token = static_cast<int64_t>(blockIdx.x) * 32, first_input = static_cast<int64_t>(blockIdx.y) * 32;
  for (int r = threadIdx.y; r < 32; r += 8) {
    const int64_t token = first_token + r, input = first_input + threadIdx.x;
    turned[r][threadIdx.x] = token < tokens && input < in ? widen_element(x, type, token * in + input) : 0.0f;
  }
  __syncthreads();
  for (int r = threadIdx.y; r < 32; r += 8) to[(first_input + r) * pitch + first_token + threadIdx.x] = turned[threadIdx.x][r];
}

}  // namespace sk

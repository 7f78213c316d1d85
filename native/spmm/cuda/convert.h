// x as the products need it: rows of the type of the weight, 16-byte aligned, for tensor cores; transposed and float32 for cells.
#pragma once

#include "../../cuda/elements.h"

namespace sk {

// Rows [tokens, in] to rows of `eights` times eight elements; those past `in` become 0. One thread makes eight, a store of 16 bytes.
template <class From, class To>
__global__ void convert_rows(const From* x, int64_t tokens, int64_t in, To* rows, int64_t eights) {
  const int64_t eight = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (eight >= tokens * eights) return;
  const int64_t token = eight / eights, first = eight % eights * 8;
  alignas(16) To packed[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) packed[i] = narrow_to<To>(first + i < in ? widen_from(x[token * in + first + i]) : 0.0f);
  reinterpret_cast<uint4*>(rows)[eight] = *reinterpret_cast<const uint4*>(packed);
}

// [tokens, in] to [inputs, pitch] float32, where tokens and inputs that are not there become 0. A block of 32 x 8 threads turns 32 x 32 in
// shared memory; grid: tokens, inputs.
template <class From>
__global__ void transpose_rows(const From* x, int64_t tokens, int64_t in, float* to, int64_t pitch) {
  __shared__ float turned[32][33];
  const int64_t first_token = static_cast<int64_t>(blockIdx.x) * 32, first_input = static_cast<int64_t>(blockIdx.y) * 32;
  for (int r = threadIdx.y; r < 32; r += 8) {
    const int64_t token = first_token + r, input = first_input + threadIdx.x;
    turned[r][threadIdx.x] = token < tokens && input < in ? widen_from(x[token * in + input]) : 0.0f;
  }
  __syncthreads();
  for (int r = threadIdx.y; r < 32; r += 8) to[(first_input + r) * pitch + first_token + threadIdx.x] = turned[threadIdx.x][r];
}

}  // namespace sk

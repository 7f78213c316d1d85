// x as cells and gathered tiles need it: transposed.
#pragma once

#include "../../cuda/elements.h"

namespace sk {

// Four words of four bytes each, as words of their first, second, third and fourth bytes.
__device__ inline void transpose_bytes(uint32_t (&x)[4]) {
  const uint32_t low01 = __byte_perm(x[0], x[1], 0x5140), high01 = __byte_perm(x[0], x[1], 0x7362);
  const uint32_t low23 = __byte_perm(x[2], x[3], 0x5140), high23 = __byte_perm(x[2], x[3], 0x7362);
  x[0] = __byte_perm(low01, low23, 0x5410), x[1] = __byte_perm(low01, low23, 0x7632);
  x[2] = __byte_perm(high01, high23, 0x5410), x[3] = __byte_perm(high01, high23, 0x7632);
}

// x [tokens, in] of float32, float16 or bfloat16 to [inputs, pitch], where tokens and inputs that are not there become 0. A block of 32 x 8
// threads turns 32 x 32 in shared memory; grid: tokens, inputs.
template <class T>
__global__ void transpose_rows(const void* x, DType type, int64_t tokens, int64_t in, T* to, int64_t pitch) {
  __shared__ float turned[32][33];
  const int64_t first_token = static_cast<int64_t>(blockIdx.x) * 32, first_input = static_cast<int64_t>(blockIdx.y) * 32;
  for (int r = threadIdx.y; r < 32; r += 8) {
    const int64_t token = first_token + r, input = first_input + threadIdx.x;
    turned[r][threadIdx.x] = token < tokens && input < in ? widen_element(x, type, token * in + input) : 0.0f;
  }
  __syncthreads();
  for (int r = threadIdx.y; r < 32; r += 8)
    to[(first_input + r) * pitch + first_token + threadIdx.x] = narrow_to<T>(turned[threadIdx.x][r]);
}

// x [tokens][inputs] of bytes, whole words, to [inputs][pitch], where tokens that are not there become 0. A block of 256 threads turns 128
// tokens x 32 inputs: four words of a thread in its registers, all of them in shared memory; grid: tokens, inputs.
__global__ void transpose_byte_rows(const uint8_t* x, int64_t tokens, int64_t inputs, uint8_t* to, int64_t pitch) {
  __shared__ uint32_t turned[32][33];  // [inputs][four tokens]
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, fours = 4 * warp + lane / 8;
  const int64_t first_token = static_cast<int64_t>(blockIdx.x) * 128, first_input = static_cast<int64_t>(blockIdx.y) * 32;
  uint32_t four[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int64_t token = first_token + 4 * fours + i;
    four[i] = token < tokens ? *reinterpret_cast<const uint32_t*>(x + token * inputs + first_input + lane % 8 * 4) : 0;
  }
  transpose_bytes(four);
#pragma unroll
  for (int i = 0; i < 4; ++i) turned[lane % 8 * 4 + i][fours] = four[i];
  __syncthreads();
  for (int r = warp; r < 32; r += 8)
    *reinterpret_cast<uint32_t*>(to + (first_input + r) * pitch + first_token + lane * 4) = turned[r][lane];
}

}  // namespace sk

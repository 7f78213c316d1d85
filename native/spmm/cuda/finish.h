// The end of a product: y = act(sum + bias), eight outputs of a token at a time, 16 bytes a store where rows are aligned.
#pragma once

#include "../../cuda/elements.h"
#include "kernel.h"

namespace sk {

__device__ inline float activate(float x, Activation activation) { return activation == Activation::kRelu ? fmaxf(x, 0.0f) : x; }

// to[first .. first + 8) of a row of `length` elements = eight; what lies past the row is dropped.
template <class T>
__device__ inline void store_eight(T* row, int64_t first, int64_t length, const float* eight) {
  T* to = row + first;
  if (first + 8 <= length && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
    alignas(16) T packed[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) packed[i] = narrow_to<T>(eight[i]);
#pragma unroll
    for (int i = 0; i < static_cast<int>(sizeof(packed) / 16); ++i)
      reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(packed)[i];
  } else {
    for (int i = 0; i < 8 && first + i < length; ++i) to[i] = narrow_to<T>(eight[i]);
  }
}

__device__ inline void finish_eight(const SpmmCudaProduct& p, int64_t token, int64_t output, const float* sums) {
  float eight[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) eight[i] = activate(sums[i] + p.bias[output + i], p.activation);  // bias is padded
  const int64_t row = token * p.out;
  switch (p.y_type) {
    case DType::kFloat32: return store_eight(static_cast<float*>(p.y) + row, output, p.out, eight);
    case DType::kFloat16: return store_eight(static_cast<Half*>(p.y) + row, output, p.out, eight);
    default: return store_eight(static_cast<BHalf*>(p.y) + row, output, p.out, eight);
  }
}

// Adds the splits in their order, so that results do not depend on which was ready first. Grid: eights of outputs, tokens.
__global__ void finish_splits(const SpmmCudaProduct p) {
  const int64_t output = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 8, token = blockIdx.y;
  if (output >= p.out) return;
  float eight[8] = {};
  for (int split = 0; split < p.splits; ++split) {
    const float* from = p.partial + (split * p.tokens + token) * p.out + output;
    for (int i = 0; i < 8; ++i)
      if (output + i < p.out) eight[i] += from[i];
  }
  finish_eight(p, token, output, eight);
}

}  // namespace sk

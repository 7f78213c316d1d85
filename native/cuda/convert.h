// Operands as tensor cores need them: rows of 16-bit elements, 16-byte aligned.
#pragma once

#include <cuda_runtime_api.h>

#include "elements.h"

namespace sk {

// x [rows, columns] of float32, float16 or bfloat16 to rows of `eights` times eight elements; those past `columns` become 0. One thread
// makes eight, a store of 16 bytes.
template <class To>
__global__ void convert_rows(const void* x, DType type, int64_t rows, int64_t columns, To* to, int64_t eights) {
  const int64_t eight = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (eight >= rows * eights) return;
  const int64_t row = eight / eights, first = eight % eights * 8;
  alignas(16) To packed[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) packed[i] = narrow_to<To>(first + i < columns ? widen_element(x, type, row * columns + first + i) : 0.0f);
  reinterpret_cast<uint4*>(to)[eight] = *reinterpret_cast<const uint4*>(packed);
}

// To rows of `pitch` bytes, a multiple of 16.
template <class To>
cudaError_t launch_convert(const void* x, DType type, int64_t rows, int64_t columns, void* to, int64_t pitch, cudaStream_t stream) {
  const int64_t eights = pitch / 16;
  const auto blocks = static_cast<unsigned>((eights * rows + 255) / 256);
  convert_rows<<<blocks, 256, 0, stream>>>(x, type, rows, columns, static_cast<To*>(to), eights);
  return cudaGetLastError();
}

}  // namespace sk

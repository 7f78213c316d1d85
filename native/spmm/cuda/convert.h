// x as the tensor cores need it: rows of the type of the weight, 16-byte aligned.
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

}  // namespace sk

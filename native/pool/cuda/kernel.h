// What the host part of pool on a device and its kernels share: the arguments of one run, all in device memory. No CUDA headers.
#pragma once

#include <cstdint>

#include "../../core/tensor.h"

namespace sk {

struct PoolCudaRun {
  const void* x;  // float32, float16 or bfloat16
  DType type;
  int64_t element_bytes;
  int64_t sequences, heads, tokens, dim, batch_stride, head_stride, token_stride;  // in elements; sequences = batch * heads
  int64_t windows, block, stride;                                                  // window p: tokens [p * stride, p * stride + block)
  const int32_t* offsets;  // [windows + 1]: or window p is tokens [offsets[p], offsets[p + 1]); null: not. Cut to the tokens there are
  const float* logit;      // [sequences, tokens]; null: all tokens weigh the same
  bool least, greatest;    // extremes: which of the two
  bool mean;               // sums: divided by the number of tokens
  float* out;              // [sequences, windows, width]
  int64_t width;
};

// One row of kernels.def. The functions put work on the stream and return a cudaError_t; there is at least one window of one channel.
struct PoolCudaKernel {
  const char* name;  // pool_f16_any_cuda
  int (*sums)(const PoolCudaRun& run, void* stream);
  int (*extremes)(const PoolCudaRun& run, void* stream);
  int (*similarity)(const PoolCudaRun& run, void* stream);
};

}  // namespace sk

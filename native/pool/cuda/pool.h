// pool on a CUDA device: x and the result are device memory.
#pragma once

#include <memory>
#include <vector>

#include "../../cuda/device.h"
#include "../pool.h"
#include "kernel.h"

namespace sk {

// As PoolOptions says, for a dense x; buffers of their sizes at least, as the caller has checked.
struct PoolCudaOptions {
  int64_t batch, heads, tokens, dim;
  bool tokens_outside;  // x is [batch, tokens, heads, dim], not [batch, heads, tokens, dim]
  DType type;
  PoolKind kind;
  int64_t windows, block, stride;
  const CudaBuffer* x;
  const CudaBuffer* offsets;  // int32 [windows + 1], instead of block and stride; or null
  const CudaBuffer* logit;    // float32 [batch, heads, tokens], of kWeighted; else null
  const CudaBuffer* out;      // float32 [batch, heads, windows, pool_width()]
};

// Puts the work on the device's stream and does not wait for it.
Status pool_on_cuda(const CudaDevice& device, const PoolCudaOptions& options);

// The CUDA rows of kernels.def; also where this build or machine cannot run them.
std::vector<KernelRow> pool_cuda_kernels();

}  // namespace sk

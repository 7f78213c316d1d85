// score on a CUDA device: operands and results are device memory.
#pragma once

#include <memory>
#include <vector>

#include "../../cuda/device.h"
#include "../score.h"
#include "kernel.h"

namespace sk {

enum class ScoreCudaKind : int { kDot = 0, kSoftmax = 1, kBounds = 2, kMax = 3, kMass = 4, kLines = 5 };

// Meaning as in native/score/score.h, for dense operands; buffers of their sizes at least, as the caller has checked.
struct ScoreCudaOptions {
  ScoreCudaKind kind;
  const CudaBuffer *q, *k;
  DType q_type, k_type;
  bool tokens_outside;  // q and k are [batch, tokens, heads, dim], not [batch, heads, tokens, dim]; pages of bounds never
  int64_t batch, heads, kv_heads, queries, keys, dim;
  int64_t last_queries;  // lines: how many of the queries
  float scale;
  const CudaBuffer* limit;  // int32 [queries], cut to [0, keys]; or null
  bool causal;              // query i sees the keys up to i + keys - queries
  GroupReduce group;
  int64_t block_q, block_k;
  const CudaBuffer* lse;  // kMass
  const CudaBuffer *out, *slash;
};

// Puts the work on the device's stream and does not wait for it.
Status score_on_cuda(const std::shared_ptr<const CudaDevice>& device, const ScoreCudaOptions& options);

// The CUDA rows of kernels.def; also where this build or machine cannot run them.
std::vector<KernelRow> score_cuda_kernels();

}  // namespace sk

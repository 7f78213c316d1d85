// pool: windows of tokens -> one row each.
//
//   out[b, h, p] = the windows of x[b, h], reduced over their tokens          x [batch, heads, tokens, dim] by strides, float32
//
// Nothing outside the arrays named here is read or written.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/kernel.h"
#include "../core/status.h"

namespace sk {

enum class PoolKind : int {
  kMean = 0,
  kSum = 1,
  kMax = 2,
  kMin = 3,
  kMinMax = 4,      // out [.., 2, dim]: the least, then the greatest
  kWeighted = 5,    // sum of softmax(logit over the window) x
  kSimilarity = 6,  // out [.., 1]: mean cosine of all pairs of the window's tokens = squared norm of the mean unit vector
};

struct PoolOptions {
  const float* x = nullptr;
  int64_t batch = 0, heads = 0, tokens = 0, dim = 0;
  int64_t batch_stride = 0, head_stride = 0, token_stride = 0;  // in floats
  const int32_t* start = nullptr;                               // [windows]
  const int32_t* count = nullptr;                               // [windows]; 0 gives zeros
  int64_t windows = 0;
  PoolKind kind = PoolKind::kMean;
  const float* logit = nullptr;  // kWeighted: [batch, heads, tokens]
  float* out = nullptr;          // [batch, heads, windows, pool_width()]
  std::string isa;
  int threads = 1024;
  const std::atomic<bool>* cancel = nullptr;
};

int64_t pool_width(PoolKind kind, int64_t dim);

Status pool(const PoolOptions& options);

std::vector<KernelRow> pool_kernels();

}  // namespace sk

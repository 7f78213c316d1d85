// What pool.cc shares with the ISA files: the moves of one kernel row. Plain data, no inline code.
//
// A window is `tokens` rows of `dim` floats, row t at x + t * stride.
#pragma once

#include <cstdint>

namespace sk {

struct PoolKernel {
  const char* name;  // pool_f32_any_avx2
  int lanes;
  // out[c] = scale * sum of weight[t] x[t, c]; no weights (null): all 1.
  void (*sum)(const float* x, int64_t stride, int64_t tokens, int64_t dim, const float* weight, float scale, float* out);
  // Least and greatest of each channel; either may be null. There is at least one token.
  void (*extremes)(const float* x, int64_t stride, int64_t tokens, int64_t dim, float* least, float* greatest);
};

}  // namespace sk

#include "strip.h"

#include <algorithm>
#include <cmath>

namespace sk {

namespace {

// So many queries are not worth packing keys for, unless the keys are so short that adding up lanes would take most of the time.
constexpr int64_t kFewRows = 8, kShortKeys = 16;

}  // namespace

void strip(const ScoreKernel& kernel, const float* q, int64_t q_stride, int64_t rows, const float* k, int64_t k_stride, int64_t keys,
           int64_t d, float scale, float* out, int64_t out_stride, float* panel) {
  if (rows == 1 || (rows <= kFewRows && d > kShortKeys)) return kernel.few(q, q_stride, rows, k, k_stride, keys, d, scale, out, out_stride);
  for (int64_t j = 0; j < keys; j += kernel.panel_keys) {
    const int64_t n = std::min<int64_t>(kernel.panel_keys, keys - j);
    kernel.pack(k + j * k_stride, k_stride, n, d, panel);
    kernel.tile(q, q_stride, rows, panel, d, scale, out + j, out_stride, n);
  }
}

void strip(const ScoreKernel& kernel, const float* q, int64_t q_stride, int64_t rows, const BHalf* k, int64_t k_stride, int64_t keys,
           int64_t d, float scale, float* out, int64_t out_stride, float*) {
  kernel.few_bf16(q, q_stride, rows, k, k_stride, keys, d, scale, out, out_stride);
}

void softmax_row(const ScoreKernel& kernel, float* x, int64_t n) {
  const float most = kernel.greatest(x, n);
  if (most == -INFINITY)
    std::fill_n(x, n, 0.0F);
  else
    kernel.multiply(x, n, 1 / kernel.exponentials(x, n, most));
}

}  // namespace sk

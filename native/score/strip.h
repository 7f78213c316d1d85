// A strip: a few queries times many keys, what every form of scoring is made of.
#pragma once

#include <cstdint>
#include <string>

#include "kernel.h"
#include "score.h"

namespace sk {

Status choose_score_kernel(const std::string& isa, const ScoreKernel** kernel);

constexpr int64_t kStripRows = 64;  // queries that share one packing of the keys

// Floats of the scratch of strip().
inline int64_t strip_scratch(const ScoreKernel& kernel, int64_t d) { return d * kernel.panel_keys; }

// out[i, j] = scale q[i] k[j]; `panel` is 64-byte aligned scratch.
void strip(const ScoreKernel& kernel, const float* q, int64_t q_stride, int64_t rows, const float* k, int64_t k_stride, int64_t keys,
           int64_t d, float scale, float* out, int64_t out_stride, float* panel);
// The same for few queries: no panel.
void strip(const ScoreKernel& kernel, const float* q, int64_t q_stride, int64_t rows, const BHalf* k, int64_t k_stride, int64_t keys,
           int64_t d, float scale, float* out, int64_t out_stride, float* panel);

// x becomes its softmax.
void softmax_row(const ScoreKernel& kernel, float* x, int64_t n);

inline const float* sequence(const Strided& s, int64_t batch, int64_t head) {
  return s.data + batch * s.batch_stride + head * s.head_stride;
}

inline int64_t limit_of(const ScoreOptions& o, int64_t query) {
  if (o.limit == nullptr) return o.keys;
  return o.limit[query] < 0 ? 0 : o.limit[query] > o.keys ? o.keys : o.limit[query];
}

}  // namespace sk

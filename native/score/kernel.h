// What score.cc shares with the ISA files: the moves of one kernel row. Plain data, no inline code.
//
// Legend: W = panel_keys; a panel holds W keys transposed, [d][W], zeros where there are fewer keys; 64-byte aligned.
#pragma once

#include <cstdint>

namespace sk {

struct ScoreKernel {
  const char* name;  // score_f32_any_avx2
  int lanes;
  int panel_keys;
  void (*pack)(const float* k, int64_t stride, int64_t keys, int64_t d, float* panel);
  // out[i, j] = scale q[i] k[j] for the first `keys` keys of a panel.
  void (*tile)(const float* q, int64_t q_stride, int64_t rows, const float* panel, int64_t d, float scale, float* out, int64_t out_stride,
               int64_t keys);
  // The same for a few queries, keys where they are, float32 or bfloat16: each is read from memory once.
  void (*few)(const float* q, int64_t q_stride, int64_t rows, const void* k, int64_t stride, int64_t keys, int64_t d, float scale,
              float* out, int64_t out_stride);
  void (*few_bf16)(const float* q, int64_t q_stride, int64_t rows, const void* k, int64_t stride, int64_t keys, int64_t d, float scale,
                   float* out, int64_t out_stride);
  // The same for a few queries and keys [d][keys], channels `stride` numbers apart; `greatest`: out[j] is the greatest of the queries'
  // scores.
  void (*channels)(const float* q, int64_t q_stride, int64_t rows, const void* k, int64_t stride, int64_t keys, int64_t d, float scale,
                   bool greatest, float* out, int64_t out_stride);
  void (*channels_bf16)(const float* q, int64_t q_stride, int64_t rows, const void* k, int64_t stride, int64_t keys, int64_t d, float scale,
                        bool greatest, float* out, int64_t out_stride);
  float (*greatest)(const float* x, int64_t n);  // -infinity where n is 0
  // x = e^(x - shift); returns the sum.
  float (*exponentials)(float* x, int64_t n, float shift);
  void (*multiply)(float* x, int64_t n, float factor);
  void (*add)(float* to, const float* x, int64_t n);
  void (*raise)(float* to, const float* x, int64_t n);  // to = max(to, x)
};

}  // namespace sk

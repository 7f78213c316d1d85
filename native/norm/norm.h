// norm: what networks do between two products, row by row.
//
//   y[r, c] = act(n(x)[r, c] + added[r, c])        x, added, y [rows, channels]; added may be absent
//
//   n none    x
//     batch   (x - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c], moments over all rows or given ones
//     layer   the same with mean and variance of each row over its channels
//
// Moments are of the population, in float64, first the mean and then the squares about it. Rows are summed in blocks of a fixed size whose
// sums are added in ascending order, so results do not depend on threads. Plain loops: memory bounds them, but for GELU.
#pragma once

#include <atomic>
#include <cstdint>

#include "../core/status.h"

namespace sk {

enum class Norm : int { kNone = 0, kBatch = 1, kLayer = 2 };
enum class NormActivation : int { kNone = 0, kRelu = 1, kRelu6 = 2, kGelu = 3 };  // GELU: x times the normal distribution below x, no tanh

struct NormOptions {
  int64_t rows = 0, channels = 0;
  const float *x = nullptr, *added = nullptr;
  Norm norm = Norm::kNone;
  const float *weight = nullptr, *bias = nullptr;    // [channels]; null: ones, zeros
  const float *mean = nullptr, *variance = nullptr;  // batch: [channels], both or neither
  double epsilon = 0;
  NormActivation activation = NormActivation::kNone;
  float* y = nullptr;  // may be x
};

Status norm_rows(const NormOptions& options, const std::atomic<bool>* cancel);

// mean and variance [channels] over all rows; zeros where there are none.
Status row_moments(const float* x, int64_t rows, int64_t channels, double* mean, double* variance);

}  // namespace sk

// mapreduce: what the inputs of each output come to, channel by channel: pooling over a map, its gradients, and sums of any groups.
//
//   sum               y[o] = weight[o] * sum over pairs (i, o) of x[i]
//   mean              y[o] = sum over pairs (i, o) of x[i] / n[o], n[o] being their number; 0 where there are none
//   max               y[o] = max(least[o], max over pairs (i, o) of x[i]);  winner[o] = the group of the first pair that reaches it, -1:
//   least moments           y[o] = the mean,  variance[o] = sum over pairs (i, o) of (x[i] - y[o])^2 / n[o] max gradient      y[o] = sum
//   over pairs (i, o) of group g of x[i] where winner[i] is g moments gradient  y[o] = sum over pairs (i, o) of x[i] + slope[i] * (at[o] -
//   centre[i])
//
// Gradients run over the swapped map, whose inputs are the outputs of the pooling: there x is the gradient of a maximum, or of a mean over
// n; slope is 2 / n times that of a variance, centre the means, at what was pooled. The gradient of a weighted sum is a sum.
//
// x [in rows, channels], y [out rows, channels]. Sums are taken over groups in ascending order, so they do not depend on blocks or threads;
// NaN spreads. Plain loops over rows: every pair loads and stores a row of accumulators, which the memory bounds and not the arithmetic.
#pragma once

#include <atomic>
#include <cstdint>

#include "../core/pairs.h"
#include "../core/status.h"

namespace sk {

enum class Reduction : int { kSum = 0, kMean = 1, kMax = 2, kMoments = 3, kMaxGradient = 4, kMomentsGradient = 5 };

struct ReduceOptions {
  Reduction reduction = Reduction::kSum;
  int64_t channels = 0;
  const float* x = nullptr;
  const float* row = nullptr;                       // [out rows]: weight of a sum (may be null) or least of a maximum
  int32_t* winner = nullptr;                        // max: [out rows, channels], may be null; max gradient: [in rows, channels], read
  float* variance = nullptr;                        // moments: [out rows, channels]
  const float *slope = nullptr, *centre = nullptr;  // moments gradient: [in rows, channels]
  const float* at = nullptr;                        // moments gradient: [out rows, channels]
  float* y = nullptr;
};

// What is written must not overlap what is read. Nothing is read or written outside the arrays.
Status map_reduce(const PairsView& pairs, const ReduceOptions& options, const std::atomic<bool>* cancel);

}  // namespace sk

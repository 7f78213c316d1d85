// mapreduce: what the inputs of each output come to, channel by channel: pooling over a map, its gradients, and sums of any groups.
//
//   sum          y[o] = weight[o] * sum over pairs (i, o) of x[i]
//   max          y[o] = max(least[o], max over pairs (i, o) of x[i]);  winner[o] = the group of the first pair that reaches it, -1: least
//   max gradient y[o] = sum over pairs (i, o) of group g of x[i] where winner[i] is g      (over the swapped map: x, winner are of its
//   input)
//
// x [in rows, channels], y [out rows, channels]. Sums are taken over groups in ascending order, so they do not depend on blocks or threads;
// NaN spreads. Plain loops over rows: every pair loads and stores a row of accumulators, which the memory bounds and not the arithmetic.
#pragma once

#include <atomic>
#include <cstdint>

#include "../core/pairs.h"
#include "../core/status.h"

namespace sk {

enum class Reduction : int { kSum = 0, kMax = 1, kMaxGradient = 2 };

struct ReduceOptions {
  Reduction reduction = Reduction::kSum;
  int64_t channels = 0;
  const float* x = nullptr;
  const float* row = nullptr;  // [out rows]: weight of a sum or least of a maximum
  int32_t* winner = nullptr;   // max: [out rows, channels], may be null; max gradient: [in rows, channels], read
  float* y = nullptr;
};

// y and winner must not overlap x. Nothing is read or written outside the arrays.
Status map_reduce(const PairsView& pairs, const ReduceOptions& options, const std::atomic<bool>* cancel);

}  // namespace sk

// mapouter: the weight gradient of mapmm.
//
//   dw[o, g, i] = sum over pairs (a, b) of group g of dy[b, o] * x[a, i]       x [in rows, splits * in], dy [out rows, splits * out]
//
// dw [splits * out, groups, in], where o, i run inside one split. Pairs are summed in ascending order, so dw does not depend on the
// threads.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "../core/kernel.h"
#include "../core/pairs.h"
#include "../core/status.h"

namespace sk {

struct MapouterOptions {
  int64_t in = 0, out = 0, splits = 1;  // channels of one split
  const float *x = nullptr, *dy = nullptr;
  float* dw = nullptr;
  std::string isa;  // empty: the best this machine has
};

// dw must not overlap x or dy. Nothing is read or written outside the arrays.
Status map_outer(const PairsView& pairs, const MapouterOptions& options, const std::atomic<bool>* cancel);

// The rows of kernels.def, in its order.
std::vector<KernelRow> mapouter_kernels();

}  // namespace sk

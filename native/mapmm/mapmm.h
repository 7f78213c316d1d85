// mapmm: a matrix product per group of a map, summed over the groups: sparse convolution, and whatever else has a rulebook.
//
//   y[o] = act(bias + sum over groups g and pairs (i, o) of g of  W[g] x[i])     x [in rows, in channels], y [out rows, out channels]
//
// W[g] is [out, in]; with S splits (grouped convolution) it is S blocks on a diagonal. Output rows that no pair names are act(bias).
// An output is summed over groups in ascending order and over inputs in ascending order, so it does not depend on blocks or threads. Where
// sites come in tiles (PairsView::tiles), absent inputs inside a tile's window may be summed as zeros: that only shows if W has infinities
// or NaN. Nothing is read outside x or written outside y.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "../core/kernel.h"
#include "../core/memory.h"
#include "../core/pairs.h"
#include "../core/status.h"
#include "kernel.h"

namespace sk {

struct MapmmOptions {
  // [splits * out, groups, in], or with `transposed` the weight of the map before it was swapped, [splits * in, groups, out]: the gradient
  // towards the input of a layer is its weight, transposed, over its map, swapped.
  const float* weight = nullptr;
  bool transposed = false;
  int64_t groups = 0, in = 0, out = 0, splits = 1;
  const float* bias = nullptr;  // [splits * out] or null
  MapActivation activation = MapActivation::kNone;
  std::string isa;  // empty: the best this machine has
  int threads = 0;  // at most so many threads a run; 0: all of the pool
};

// Immutable. run() may be called from any number of threads at once.
class MapmmPlan {
 public:
  static Status create(const MapmmOptions& options, std::shared_ptr<const MapmmPlan>* plan);

  // x [in_rows, in_channels], y [out_rows, out_channels]; they must not overlap. `cancel` (may be null) is polled between blocks.
  // kShape if the pairs have another number of groups than the weight.
  Status run(const PairsView& pairs, const float* x, float* y, const std::atomic<bool>* cancel) const;

  // Whether run() takes the windows of the map's tiles instead of its pairs.
  bool gathers_tiles(const PairsView& pairs) const;

  const MapmmKernel& kernel() const { return *kernel_; }
  int64_t in_channels() const { return kernel_->depthwise ? out_ : splits_ * in_; }
  int64_t out_channels() const { return splits_ * out_; }
  int64_t groups() const { return groups_; }
  size_t bytes() const { return bytes_; }  // of the packed weight and bias

 private:
  MapmmPlan() = default;
  void pack(const MapmmOptions& options);
  Status run_tiles(const TilesView& tiles, int slots, const float* x, float* y, const std::atomic<bool>* cancel) const;

  const MapmmKernel* kernel_ = nullptr;
  int64_t groups_ = 0, in_ = 0, out_ = 0, out_padded_ = 0, splits_ = 1;
  MapActivation activation_ = MapActivation::kNone;
  int threads_ = 0;
  AlignedBuffer weight_, bias_;
  size_t bytes_ = 0;
};

// The rows of kernels.def, in its order.
std::vector<KernelRow> mapmm_kernels();

}  // namespace sk

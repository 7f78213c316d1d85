// planes: Y = act(S X + bias), S sparse, on channel-major activations (CHW): the 1x1 convolution of Fast Sparse ConvNets.
//
//   y[n, o, p] = act(bias[o] + sum over kept i of s[o, i] * x[n, i, p])      x [images, in, pixels], s [out, in], y [images, out, pixels]
//
// S keeps weights at any place, or blocks of 2 or 4 output channels that keep the same input channels. It is the product of spmm with the
// operands the other way round: pixels are in the lanes as they lie, so x is read and y written in place. An output is summed over its kept
// inputs in ascending order, one multiply-add after another: it does not depend on threads or strips.
// Offsets are 64-bit throughout: no product of channels and pixels overflows. Nothing is read outside x or written outside y.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "../core/kernel.h"
#include "../core/memory.h"
#include "../core/status.h"
#include "kernel.h"

namespace sk {

struct PlanesOptions {
  const float* weight = nullptr;  // [out, in], zeros where pruned
  int64_t in = 0, out = 0;
  int block = 1;                // 1, 2 or 4 output channels; inputs that only some of a block keep become explicit zeros of the others
  const float* bias = nullptr;  // [out] or null
  PlanesActivation activation = PlanesActivation::kNone;
  std::string isa;  // empty: the best this machine has
  int threads = 0;  // at most so many threads a run; 0: all of the pool
};

// Immutable. run() may be called from any number of threads at once.
class PlanesPlan {
 public:
  static Status create(const PlanesOptions& options, std::shared_ptr<const PlanesPlan>* plan);

  // x [images, in, pixels], y [images, out, pixels]; they must not overlap. `cancel` (may be null) is polled between strips.
  Status run(const float* x, int64_t images, int64_t pixels, float* y, const std::atomic<bool>* cancel) const;

  const PlanesKernel& kernel() const { return *kernel_; }
  const PackedPlanes& packed() const { return weight_; }
  int64_t in() const { return weight_.in; }
  int64_t out() const { return weight_.out; }
  int64_t kept() const { return kept_; }   // weights that are not zero
  size_t bytes() const { return bytes_; }  // of the packed weight and bias

 private:
  PlanesPlan() = default;
  Status pack(const PlanesOptions& options);

  const PlanesKernel* kernel_ = nullptr;
  PackedPlanes weight_ = {};
  PlanesActivation activation_ = PlanesActivation::kNone;
  int threads_ = 0;
  int64_t kept_ = 0, stored_ = 0;  // stored_: blocks
  AlignedBuffer cells_, rows_, counts_, values_, indices_, bias_;
  size_t bytes_ = 0;
};

// The rows of kernels.def, in its order.
std::vector<KernelRow> planes_kernels();

}  // namespace sk

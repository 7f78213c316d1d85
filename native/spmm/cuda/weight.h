// A packed weight on a device: the two formats of kernel.h behind one face.
#pragma once

#include <memory>

#include "../../core/memory.h"
#include "../../core/status.h"
#include "../../cuda/device.h"
#include "../weight.h"
#include "kernel.h"

namespace sk {

// Immutable.
class SpmmCudaWeight {
 public:
  virtual ~SpmmCudaWeight() = default;

  // `product` has everything but the weight, x and the splits; x is of x_type. Puts the work on the device's stream.
  virtual Status multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const = 0;
  // As nm_unpack().
  virtual void to_dense(float* dense) const = 0;
  // On the device.
  virtual size_t bytes() const = 0;
};

using WeightPtr = std::unique_ptr<const SpmmCudaWeight>;

// Packs, rounds to the type of `values` (without data; its scale must outlive the weight) and uploads; the device has the weight when these
// return. Cells keep what is not zero, tiles expect at most 2 of 4.
Status tiles_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values, WeightPtr* weight);
Status cells_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values, WeightPtr* weight);

}  // namespace sk

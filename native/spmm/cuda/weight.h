// A packed weight on a device: the two formats of kernel.h behind one face.
#pragma once

#include <memory>

#include "../../core/memory.h"
#include "../../core/status.h"
#include "../../cuda/device.h"
#include "../spmm.h"
#include "kernel.h"

namespace sk {

// Immutable.
class SpmmCudaWeight {
 public:
  virtual ~SpmmCudaWeight() = default;

  // `product` has everything but the weight, x and the splits. Puts the work on the device's stream.
  virtual Status multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const = 0;
  // The pruned weight [out, in], as it is stored.
  virtual void to_dense(float* dense) const = 0;
  // On the device.
  virtual size_t bytes() const = 0;
};

// Packs, checks and uploads; the device has the weight when these return.
Status tiles_create(std::shared_ptr<const CudaDevice> device, const SpmmOptions& options, std::unique_ptr<const SpmmCudaWeight>* weight);
Status cells_create(std::shared_ptr<const CudaDevice> device, const SpmmOptions& options, std::unique_ptr<const SpmmCudaWeight>* weight);

}  // namespace sk

// A packed weight on a device: the two formats of kernel.h behind one face.
#pragma once

#include <memory>

#include "../../core/memory.h"
#include "../../core/status.h"
#include "../../cuda/device.h"
#include "../spmm.h"
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
// return. Cells keep what is not zero, tiles expect at most 2 of 4. byte_: x is int8, too; byte_lanes: int8 values that become float16;
// nibble_lanes: int4 values, which do, too, with
// scales for 32 inputs or more; tf32_: keeps_one_of_two(); gathered: the rows of a block of 128, or 64, use few
// columns, without a gate.
using CreateWeight = Status(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values,
                            const SpmmOptions& options, WeightPtr* weight);
CreateWeight tiles_create, byte_tiles_create, byte_lanes_create, nibble_lanes_create, tf32_tiles_create, gathered_create,
    gathered_64_create, cells_create, byte_cells_create;

// Few tokens make few blocks of threads: their inputs are split until there are two for each multiprocessor.
int even_splits(const CudaDevice& device, int64_t blocks, int64_t k_tiles);
// Room for the sums of product->splits, where there are some.
Status reserve_partial(const std::shared_ptr<const CudaDevice>& device, SpmmCudaProduct* product, CudaBuffer* partial);

// 2^17 products of at most 127 * 127 are less than 2^31.
constexpr int64_t kMostInt8Kept = 1 << 17;
inline Status check_int8_inputs(int64_t in, int64_t most) {
  if (in <= most) return Status();
  return Status(Code::kShape, "expected at most " + std::to_string(most) + " inputs where their products are added as int32");
}

}  // namespace sk

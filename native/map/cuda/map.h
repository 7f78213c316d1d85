// A map on a CUDA device: built there from sites that lie there, or brought from the host. No CUDA headers.
#pragma once

#include <cstdint>
#include <memory>

#include "../../core/pairs.h"
#include "../../cuda/device.h"
#include "../map.h"
#include "kernel.h"

namespace sk {

// Immutable. The pairs are those of Map for the same sites, whose order decides all: results do not depend on where a map was built.
class CudaMap {
 public:
  using Device = std::shared_ptr<const CudaDevice>;

  // `options.in` and `options.out` are device memory. Waits for the device once, for the numbers of sites and pairs and for what is wrong:
  // kCoordinates as Map::build says it; kShape also where a table would have 2^31 blocks.
  static Status build(const Device& device, const MapOptions& options, std::shared_ptr<const CudaMap>* map);

  // The map of the host, complete when it returns.
  static Status upload(const Device& device, const PairsView& pairs, std::shared_ptr<const CudaMap>* map);

  // The same pairs with in and out exchanged.
  Status swapped(std::shared_ptr<const CudaMap>* map) const;

  CudaMapView view() const;
  int64_t groups() const { return groups_; }
  int64_t in_rows() const { return in_rows_; }
  int64_t out_rows() const { return out_rows_; }
  int64_t pairs() const { return pairs_; }
  size_t bytes() const { return order_.bytes() + rows_.bytes() + counts_.bytes() + active_.bytes(); }

  // The output sites [out_rows, 1 + axes] that build() found (kReached), else null.
  const std::shared_ptr<CudaBuffer>& out_coords() const { return out_coords_; }

  // Copies the pairs to the host as Map has them: starts [groups + 1], in and out [pairs]. Waits.
  Status read_pairs(int32_t* starts, int32_t* in, int32_t* out) const;

 private:
  CudaMap() = default;
  Status size(const Device& device, int64_t groups, int64_t in_rows, int64_t out_rows);
  Status arrange(const CudaBuffer& natural, CudaBuffer* findings);

  Device device_;
  int64_t groups_ = 0, in_rows_ = 0, out_rows_ = 0, positions_ = 0, pairs_ = 0;
  CudaBuffer order_, rows_, counts_, active_;
  std::shared_ptr<CudaBuffer> out_coords_;
};

// Puts the work on the device's stream and does not wait for it.
Status window_numbers_on_cuda(const CudaDevice& device, const WindowsRun& run);

}  // namespace sk

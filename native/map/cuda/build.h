// One map being built on a device: what is on its stream, and what of it the host has to know.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "../../cuda/device.h"
#include "../map.h"
#include "kernel.h"

namespace sk {

Status clear_findings(const std::shared_ptr<const CudaDevice>& device, CudaBuffer* findings);

// The steps, in this order; `options` must stay meanwhile.
class MapBuild {
 public:
  MapBuild(std::shared_ptr<const CudaDevice> device, const MapOptions& options) : device_(std::move(device)), o_(options) {}

  // Puts grids and offsets in order and looks at the input sites.
  Status start();
  // Finds the output sites, or looks at those that are given. Only where they have to be found does it wait.
  Status outputs();
  int64_t out_rows() const { return out_rows_; }
  // natural [groups][positions].
  Status match(int64_t positions, CudaBuffer* natural);
  // Waits, if outputs() has not, and says what is wrong with the sites.
  Status finish(int64_t* pairs);

  CudaBuffer* findings() { return &findings_; }
  std::shared_ptr<CudaBuffer> take_coords() { return std::move(out_coords_); }

 private:
  Status sort_offsets();
  Status check_sites(const Sites& sites, const SiteGrid& grid, unsigned long long* bad, CudaBuffer* keys);
  Status find_outputs();
  Status read_findings();
  Status refuse(const Grid& grid, const Sites& sites, unsigned long long bad);
  void* stream() const { return device_->stream(); }

  std::shared_ptr<const CudaDevice> device_;
  const MapOptions& o_;
  SiteGrid in_grid_ = {}, out_grid_ = {};
  int key_bits_ = 0;          // of the keys of output sites
  int64_t most_outputs_ = 0;  // that one input can meet
  std::vector<int32_t> offset_words_;
  CudaBuffer offset_buffer_, in_keys_, findings_;
  MapOffsets offsets_ = {};
  const int32_t* out_ = nullptr;
  int64_t out_rows_ = 0;
  std::shared_ptr<CudaBuffer> out_coords_;
  MapFindings found_ = {};
  bool known_ = false;  // found_ is
};

}  // namespace sk

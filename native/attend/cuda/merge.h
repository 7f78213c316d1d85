// Results of attention over disjoint keys into one, on a device.
#pragma once

#include <cstdint>

#include "../../core/status.h"
#include "../../cuda/device.h"

namespace sk {

constexpr int kMostMerged = 16;

// All pointers to device memory. `merged` [rows, head_dim] and `merged_lse` [rows] are of `count` results like it, and none of their
// arrays.
struct AttendMergeRun {
  const float *output[kMostMerged], *lse[kMostMerged];
  int count;
  int64_t rows, head_dim;
  float *merged, *merged_lse;
};

// Puts the work on the device's stream and does not wait for it.
Status attend_merge_on_cuda(const CudaDevice& device, const AttendMergeRun& run);

}  // namespace sk

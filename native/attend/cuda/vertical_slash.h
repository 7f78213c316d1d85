// Lists of attention from lines, on a device: for each block of queries the diagonals become tiles and the single keys that no tile holds
// columns, both ascending. What the pattern of that name is on the host.
#pragma once

#include <cstdint>

#include "../../core/status.h"
#include "../../cuda/device.h"

namespace sk {

// Lists of `capacity` ids at most, int32 [rows] and [rows, capacity].
struct CudaLines {
  const int32_t *count, *index;
  int32_t capacity;
};
struct CudaLineLists {
  int32_t *count, *index;
  int32_t capacity;
};

struct VerticalSlashCudaRun {
  CudaLines vertical, slash;  // of each sequence, ascending: keys, and distances to them. A count below 0 is passed on
  int64_t sequences;
  int32_t queries, keys, block_queries, block_keys;
  CudaLineLists tiles, columns;  // rows [sequences, blocks of queries]; tiles are tokens. What has no room is left out
};

// Puts the work on the device's stream and does not wait for it.
Status vertical_slash_on_cuda(const CudaDevice& device, const VerticalSlashCudaRun& run);

}  // namespace sk

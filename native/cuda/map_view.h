// A map on a device, as it lends itself to the kernels of the verbs over maps. No CUDA headers.
//
//   position   0 .. positions: output rows in an order of the map's own, rounded up to whole blocks
//   order      [positions] i32          the output row at a position
//   rows       [groups][positions] i32  the input row that it meets under a group, or -1
//   active     [blocks][groups] i32     the groups that a block has any pair of, ascending; `counts` [blocks] of them
//
// Rows that meet inputs under the same groups stand together ("sorted masks"): what a block does for rows that lack a group is waste.
#pragma once

#include <cstdint>

namespace sk {

constexpr int kMapBlock = 128;  // positions

// All pointers to device memory.
struct CudaMapView {
  int64_t groups, in_rows, out_rows, positions;
  const int32_t *order, *rows, *counts, *active;
};

}  // namespace sk

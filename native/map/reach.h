// Pairs of a map whose output sites differ from its input sites: strided and dilating convolution, pooling, transposed convolution, and
// any of them with given output sites.
#pragma once

#include <cstdint>

#include "map.h"

namespace sk {

// Fills lists and, for kReached, out_coords [*out_rows, 1 + axes].
Status reach_pairs(const MapOptions& options, PairLists* lists, AlignedBuffer* out_coords, int64_t* out_rows);

}  // namespace sk

// Pairs of a map whose output sites are its input sites (submanifold convolution).
#pragma once

#include <cstdint>

#include "map.h"

namespace sk {

// Fills lists; options.outputs is kSame.
Status neighbour_pairs(const MapOptions& options, PairLists* lists);

}  // namespace sk

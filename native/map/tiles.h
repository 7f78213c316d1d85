// Maps whose sites come in whole tiles, as those that a mask of cells keeps (SparK) and those of a whole image.
#pragma once

#include <vector>

#include "../core/pairs.h"
#include "map.h"

namespace sk {

struct Tiles {
  TilesView view;
  std::vector<int64_t> columns, places;
  std::vector<int32_t> in, out;
};

// The tiles of a map of two axes that is not transposed, whose output sites are `out`; null where they are none of 8 x 8 or 4 x 4.
std::shared_ptr<const Tiles> find_tiles(const MapOptions& options, const Sites& out);

}  // namespace sk

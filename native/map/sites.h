// Sites and their linear keys.
#pragma once

#include <cstdint>

#include "../core/memory.h"
#include "../core/status.h"

namespace sk {

constexpr int kMaxAxes = 4;

struct Grid {
  int axes = 0;
  int64_t batch = 0;
  int64_t extent[kMaxAxes] = {};
};

struct Sites {
  const int32_t* coords = nullptr;  // [rows, 1 + axes], batch index first
  int64_t rows = 0;
};

// Linear keys of a grid whose axes are `pad[a]` longer than its extents (all batch-major, last axis fastest).
struct Keys {
  int axes;
  int64_t step[1 + kMaxAxes];  // of the batch index and of every axis
};

// kShape if an extent is not positive, kCoordinates if the (padded) volume needs more than 63 bits. pad may be null.
Status grid_keys(const Grid& grid, const int64_t* pad, Keys* keys);

// kCoordinates: says what is wrong with a site, `row` of its list: it is outside the grid, or else not after the site in front of it.
Status refuse_site(const Grid& grid, const int32_t* site, int64_t row);

// Keys of all sites, [rows + 1]: the last is larger than any. kCoordinates names the first row that is outside the grid, or that is not
// after the row before it.
Status site_keys(const Grid& grid, const Keys& keys, const Sites& sites, AlignedBuffer* out);

// The rows in ascending key: order [rows]; *sorted says that they were already. kCoordinates: outside the grid or repeated.
Status sort_sites(const Grid& grid, const Sites& sites, int32_t* order, bool* sorted);

}  // namespace sk

// Sites, keys and offsets as the kernels of map handle them. A coordinate fits 32 bits; sums and products of it with strides and offsets
// are 64 bits wide.
#pragma once

#include <cstdint>

#include "kernel.h"

namespace sk {

// Rows of 2 and 4 numbers in one access.
__device__ inline void load_site(const int32_t* coords, int64_t row, int width, int32_t (&site)[1 + kMaxAxes]) {
  const int32_t* from = coords + row * width;
  if (width == 4) {
    const int4 four = *reinterpret_cast<const int4*>(from);
    site[0] = four.x, site[1] = four.y, site[2] = four.z, site[3] = four.w;
  } else if (width == 2) {
    const int2 two = *reinterpret_cast<const int2*>(from);
    site[0] = two.x, site[1] = two.y;
  } else {
#pragma unroll
    for (int a = 0; a <= kMaxAxes; ++a)
      if (a < width) site[a] = from[a];
  }
}

__device__ inline void store_site(int32_t* coords, int64_t row, int width, const int32_t (&site)[1 + kMaxAxes]) {
  int32_t* to = coords + row * width;
  if (width == 4) {
    *reinterpret_cast<int4*>(to) = make_int4(site[0], site[1], site[2], site[3]);
  } else if (width == 2) {
    *reinterpret_cast<int2*>(to) = make_int2(site[0], site[1]);
  } else {
#pragma unroll
    for (int a = 0; a <= kMaxAxes; ++a)
      if (a < width) to[a] = site[a];
  }
}

__device__ inline bool inside(const SiteGrid& grid, const int32_t (&site)[1 + kMaxAxes]) {
  bool ok = true;
#pragma unroll
  for (int a = 0; a <= kMaxAxes; ++a)
    if (a <= grid.axes) ok &= site[a] >= 0 && site[a] < grid.extent[a];
  return ok;
}

// Wraps around, and means nothing, for a site that is not inside.
__device__ inline uint64_t key_of(const SiteGrid& grid, const int32_t (&site)[1 + kMaxAxes]) {
  uint64_t key = 0;
#pragma unroll
  for (int a = 0; a <= kMaxAxes; ++a)
    if (a <= grid.axes) key += static_cast<uint64_t>(static_cast<int64_t>(site[a])) * static_cast<uint64_t>(grid.step[a]);
  return key;
}

// The coordinate x * stride + d; with `divides` (x - d) / stride. -1 where there is none in [0, extent).
__device__ inline int64_t other_end(int32_t x, int64_t stride, int32_t d, bool divides, int64_t extent) {
  int64_t other;
  if (divides) {
    const int64_t scaled = static_cast<int64_t>(x) - d;
    if (scaled < 0) return -1;
    const auto dividend = static_cast<uint32_t>(scaled), divisor = static_cast<uint32_t>(stride);  // below 2^31 + 2^30
    other = dividend / divisor;
    if (dividend != static_cast<uint32_t>(other) * divisor) return -1;
  } else {
    other = static_cast<int64_t>(x) * stride + d;
  }
  return other >= 0 && other < extent ? other : -1;
}

}  // namespace sk

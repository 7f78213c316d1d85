#include "sites.h"

#include <algorithm>
#include <limits>
#include <string>

namespace sk {
namespace {

std::string text(const int32_t* site, int axes) {
  std::string s = "[";
  for (int a = 0; a <= axes; ++a) s += (a ? ", " : "") + std::to_string(site[a]);
  return s + "]";
}

bool inside(const Grid& grid, const int32_t* site) {
  bool ok = site[0] >= 0 && site[0] < grid.batch;
  for (int a = 0; a < grid.axes; ++a) ok &= site[1 + a] >= 0 && site[1 + a] < grid.extent[a];
  return ok;
}

Status outside(const Grid& grid, const int32_t* site, int64_t row) {
  std::string bounds = std::to_string(grid.batch);
  for (int a = 0; a < grid.axes; ++a) bounds += " x " + std::to_string(grid.extent[a]);
  return Status(Code::kCoordinates, "expected coordinates inside " + bounds + " (batch x extents) but received " + text(site, grid.axes) +
                                        " in row " + std::to_string(row));
}

int64_t key_of(const Keys& keys, const int32_t* site) {
  int64_t key = 0;
  for (int a = 0; a <= keys.axes; ++a) key += site[a] * keys.step[a];
  return key;
}

struct Entry {
  int64_t key;
  int32_t row;
};

// Least significant digit first: stable, and linear in the rows whatever their order.
Status radix_sort(AlignedBuffer* entries, int64_t rows, int64_t largest) {
  constexpr int kBits = 11;
  AlignedBuffer other;
  if (!other.reserve(static_cast<size_t>(rows) * sizeof(Entry))) return Status(Code::kMemory, "no memory to sort the coordinates");
  for (int shift = 0; shift < 63 && (largest >> shift) > 0; shift += kBits) {
    int64_t starts[1 << kBits] = {};
    const Entry* from = entries->as<Entry>();
    Entry* to = other.as<Entry>();
    const auto digit = [shift](const Entry& e) { return (e.key >> shift) & ((1 << kBits) - 1); };
    for (int64_t i = 0; i < rows; ++i) ++starts[digit(from[i])];
    for (int64_t d = 0, sum = 0; d < (1 << kBits); ++d) {
      const int64_t count = starts[d];
      starts[d] = sum;
      sum += count;
    }
    for (int64_t i = 0; i < rows; ++i) to[starts[digit(from[i])]++] = from[i];
    std::swap(*entries, other);
  }
  return Status();
}

}  // namespace

Status grid_keys(const Grid& grid, const int64_t* pad, Keys* keys) {
  if (grid.axes < 1 || grid.axes > kMaxAxes || grid.batch < 1) return Status(Code::kShape, "expected a batch and 1 to 4 extents");
  keys->axes = grid.axes;
  int64_t step = 1;
  for (int a = grid.axes; a >= 0; --a) {
    const int64_t extent = a == 0 ? grid.batch : grid.extent[a - 1];
    if (extent < 1 || extent > std::numeric_limits<int32_t>::max()) return Status(Code::kShape, "expected extents from 1 to 2^31 - 1");
    keys->step[a] = step;
    const int64_t padded = extent + (a > 0 && pad ? pad[a - 1] : 0);
    if (!checked_multiply(step, padded, &step))
      return Status(Code::kCoordinates, "expected batch size x extents, with the reach of the kernel, to be less than 2^63");
  }
  return Status();
}

Status refuse_site(const Grid& grid, const int32_t* site, int64_t row) {
  if (!inside(grid, site)) return outside(grid, site, row);
  return Status(Code::kCoordinates, "expected coordinates in ascending order without repetition but row " + std::to_string(row) + " is " +
                                        text(site, grid.axes) + " after " + text(site - 1 - grid.axes, grid.axes));
}

Status site_keys(const Grid& grid, const Keys& keys, const Sites& sites, AlignedBuffer* out) {
  if (!out->reserve(static_cast<size_t>(sites.rows + 1) * sizeof(int64_t))) return Status(Code::kMemory, "no memory for the keys of a map");
  int64_t* key = out->as<int64_t>();
  const int32_t* site = sites.coords;
  for (int64_t i = 0; i < sites.rows; ++i, site += 1 + grid.axes) {
    if (!inside(grid, site)) return refuse_site(grid, site, i);
    key[i] = key_of(keys, site);
    if (i > 0 && key[i] <= key[i - 1]) return refuse_site(grid, site, i);
  }
  key[sites.rows] = std::numeric_limits<int64_t>::max();
  return Status();
}

Status sort_sites(const Grid& grid, const Sites& sites, int32_t* order, bool* sorted) {
  Keys keys;
  if (Status status = grid_keys(grid, nullptr, &keys); !status.ok()) return status;
  AlignedBuffer buffer;
  if (!buffer.reserve(static_cast<size_t>(sites.rows) * sizeof(Entry))) return Status(Code::kMemory, "no memory to sort the coordinates");
  Entry* entries = buffer.as<Entry>();
  const int64_t width = 1 + grid.axes;
  int64_t largest = 0;
  *sorted = true;
  for (int64_t i = 0; i < sites.rows; ++i) {
    const int32_t* site = sites.coords + i * width;
    if (!inside(grid, site)) return outside(grid, site, i);
    entries[i] = {key_of(keys, site), static_cast<int32_t>(i)};
    *sorted &= i == 0 || entries[i].key > entries[i - 1].key;
    largest = std::max(largest, entries[i].key);
  }
  if (!*sorted) {
    if (Status status = radix_sort(&buffer, sites.rows, largest); !status.ok()) return status;
    entries = buffer.as<Entry>();
    for (int64_t i = 1; i < sites.rows; ++i)
      if (entries[i].key == entries[i - 1].key)
        return Status(Code::kCoordinates, "expected every coordinate once but rows " + std::to_string(entries[i - 1].row) + " and " +
                                              std::to_string(entries[i].row) + " are both " +
                                              text(sites.coords + entries[i].row * width, grid.axes));
  }
  for (int64_t i = 0; i < sites.rows; ++i) order[i] = entries[i].row;
  return Status();
}

}  // namespace sk

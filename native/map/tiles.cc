#include "tiles.h"

#include <algorithm>

namespace sk {
namespace {

constexpr int64_t kMostWindow = 7;  // sites of a window per input site of its tile

// One tile of a grid cut into tiles; its lines lie `pitch` rows apart.
struct Tile {
  int64_t batch, line, column;  // in tiles
  int64_t first_row, pitch;
  bool operator<(const Tile& b) const { return batch != b.batch ? batch < b.batch : line != b.line ? line < b.line : column < b.column; }
};

// The tiles that make up all sites, ascending; none if the sites are no whole tiles. Stops at the first site that does not fit.
std::vector<Tile> cut(const Sites& sites, int64_t height, int64_t width) {
  std::vector<Tile> tiles;
  const auto site = [&](int64_t row) { return sites.coords + row * 3; };
  for (int64_t first = 0; first < sites.rows;) {
    const int32_t batch = site(first)[0], y = site(first)[1];
    if (y % height != 0) return {};
    int64_t pitch = 0;
    while (first + pitch < sites.rows && site(first + pitch)[0] == batch && site(first + pitch)[1] == y) ++pitch;
    if (pitch % width != 0 || first + pitch * height > sites.rows) return {};
    for (int64_t i = 0; i < pitch; i += width) {  // rows ascend, so the first and the last column of a tile say that all are there
      const int32_t x = site(first + i)[2];
      if (x % width != 0 || site(first + i + width - 1)[2] != x + width - 1) return {};
      tiles.push_back({batch, y / height, x / width, first + i, pitch});
    }
    for (int64_t line = 1; line < height; ++line)
      for (int64_t i = 0; i < pitch; ++i) {
        const int32_t *above = site(first + i), *here = site(first + line * pitch + i);
        if (here[0] != batch || here[1] != y + line || here[2] != above[2]) return {};
      }
    first += pitch * height;
    if (first < sites.rows && site(first)[0] == batch && site(first)[1] < y + height) return {};
  }
  return tiles;
}

// The window of a tile on one axis, as parts of the tiles of the input.
struct Axis {
  int64_t low, size;  // of the window, relative to the tile's first input
  struct Part {
    int64_t tile, first, count;  // which tile (0: its own), its first input site of the window and how many
  };
  std::vector<Part> parts;
};

Axis window(const MapOptions& o, int axis, int64_t out_tile) {
  int64_t low = o.offsets[axis], high = low;
  for (int64_t g = 0; g < o.groups; ++g) {
    low = std::min<int64_t>(low, o.offsets[g * 2 + axis]);
    high = std::max<int64_t>(high, o.offsets[g * 2 + axis]);
  }
  const int64_t tile = out_tile * o.stride[axis];
  Axis result = {low, high - low + (out_tile - 1) * o.stride[axis] + 1, {}};
  if (result.size > kMostWindow * tile) return result;
  for (int64_t at = low; at < low + result.size;) {
    const int64_t from = at >= 0 ? at / tile : -((tile - 1 - at) / tile);
    const int64_t end = std::min((from + 1) * tile, low + result.size);
    result.parts.push_back({from, at - from * tile, end - at});
    at = end;
  }
  return result;
}

std::shared_ptr<const Tiles> tiles_of(const MapOptions& o, const Sites& out, int64_t size) {
  const Axis lines = window(o, 0, size), columns = window(o, 1, size);
  if (lines.parts.empty() || columns.parts.empty() || lines.size * columns.size > kMostWindow * size * o.stride[0] * size * o.stride[1])
    return nullptr;
  const std::vector<Tile> to = cut(out, size, size);
  if (to.empty()) return nullptr;
  const std::vector<Tile> from = cut(o.in, size * o.stride[0], size * o.stride[1]);
  if (from.empty()) return nullptr;

  auto tiles = std::make_shared<Tiles>();
  tiles->columns.push_back(0);
  for (const Axis::Part& part : columns.parts) tiles->columns.push_back(tiles->columns.back() + part.count);
  for (int64_t g = 0; g < o.groups; ++g)
    tiles->places.push_back((o.offsets[g * 2] - lines.low) * columns.size + o.offsets[g * 2 + 1] - columns.low);
  const int64_t segments = static_cast<int64_t>(columns.parts.size());
  tiles->in.reserve(static_cast<size_t>(static_cast<int64_t>(to.size()) * lines.size * segments));
  std::vector<const Tile*> row(columns.parts.size());
  for (const Tile& tile : to) {
    for (int64_t y = 0; y < size; ++y) tiles->out.push_back(static_cast<int32_t>(tile.first_row + y * tile.pitch));
    for (const Axis::Part& line : lines.parts) {
      for (size_t s = 0; s < row.size(); ++s) {
        const Tile wanted = {tile.batch, tile.line + line.tile, tile.column + columns.parts[s].tile, 0, 0};
        const auto found = std::lower_bound(from.begin(), from.end(), wanted);
        row[s] = found == from.end() || wanted < *found ? nullptr : &*found;
      }
      for (int64_t y = line.first; y < line.first + line.count; ++y)
        for (size_t s = 0; s < row.size(); ++s)
          tiles->in.push_back(row[s] ? static_cast<int32_t>(row[s]->first_row + y * row[s]->pitch + columns.parts[s].first) : -1);
    }
  }
  tiles->view = {static_cast<int64_t>(to.size()),
                 size,
                 size,
                 lines.size,
                 columns.size,
                 {o.stride[0], o.stride[1]},
                 segments,
                 tiles->columns.data(),
                 tiles->in.data(),
                 tiles->out.data(),
                 tiles->places.data()};
  return tiles;
}

}  // namespace

std::shared_ptr<const Tiles> find_tiles(const MapOptions& options, const Sites& out) {
  if (options.in_grid.axes != 2 || options.transposed) return nullptr;
  for (const int64_t size : {8, 4})
    if (auto tiles = tiles_of(options, out, size)) return tiles;
  return nullptr;
}

}  // namespace sk

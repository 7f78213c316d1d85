#include <algorithm>

#include "map_problem.h"

namespace sk_test {
namespace {

std::string compare(const sk::Map& map, const Pairs& expected) {
  if (map.groups() != static_cast<int64_t>(expected.groups.size())) return "another number of groups";
  for (size_t g = 0; g < expected.groups.size(); ++g) {
    const int64_t first = map.starts()[g], count = map.starts()[g + 1] - first;
    if (count != static_cast<int64_t>(expected.groups[g].size())) return "group " + std::to_string(g) + " has another number of pairs";
    for (int64_t p = 0; p < count; ++p)
      if (expected.groups[g][static_cast<size_t>(p)] != std::pair(map.in()[first + p], map.out()[first + p]))
        return "group " + std::to_string(g) + ", pair " + std::to_string(p) + " differs";
  }
  return "";
}

// The pairs once more, read from the windows of the tiles.
std::string compare_tiles(const sk::Map& map, const Pairs& expected) {
  const sk::TilesView& t = *map.view().tiles;
  for (int64_t g = 0; g < map.groups(); ++g) {
    std::vector<std::pair<int32_t, int32_t>> pairs;
    for (int64_t tile = 0; tile < t.tiles; ++tile)
      for (int64_t y = 0; y < t.height; ++y)
        for (int64_t x = 0; x < t.width; ++x) {
          const int64_t place = t.places[g] + y * t.stride[0] * t.window_width + x * t.stride[1];
          const int64_t line = place / t.window_width, column = place % t.window_width;
          int64_t s = 0;
          while (column >= t.columns[s + 1]) ++s;
          const int32_t first = t.in[(tile * t.window_height + line) * t.segments + s];
          if (line >= t.window_height || t.columns[t.segments] != t.window_width) return "a window ends too early";
          if (first >= 0)
            pairs.push_back({first + static_cast<int32_t>(column - t.columns[s]), t.out[tile * t.height + y] + static_cast<int32_t>(x)});
        }
    std::sort(pairs.begin(), pairs.end());
    if (pairs != expected.groups[static_cast<size_t>(g)]) return "the tiles hold other pairs for group " + std::to_string(g);
  }
  return "";
}

}  // namespace

std::string build(const Problem& p, const Pairs& expected, std::shared_ptr<const sk::Map>* map) {
  const Guarded<int32_t> in(p.in, p.edge), out(p.out, p.edge), offsets(p.offsets, p.edge);
  sk::MapOptions o;
  o.in_grid.axes = o.out_grid.axes = p.axes;
  o.in_grid.batch = o.out_grid.batch = p.batch;
  for (int a = 0; a < p.axes; ++a) {
    o.in_grid.extent[a] = p.in_extent[a];
    o.out_grid.extent[a] = p.out_extent[a];
    o.stride[a] = p.stride[a];
  }
  o.in = {in.data(), static_cast<int64_t>(p.in.size()) / (1 + p.axes)};
  o.out = {out.data(), static_cast<int64_t>(p.out.size()) / (1 + p.axes)};
  o.outputs = p.outputs;
  o.transposed = p.transposed;
  o.offsets = offsets.data();
  o.groups = static_cast<int64_t>(p.offsets.size()) / p.axes;
  if (const sk::Status status = sk::Map::build(o, map); !status.ok()) return status.message();
  if (!in.slack_untouched() || !out.slack_untouched() || !offsets.slack_untouched()) return "build() wrote beside its inputs";
  if ((*map)->out_rows() * (1 + p.axes) != static_cast<int64_t>(expected.out_sites.size())) return "another number of output sites";
  if (p.outputs == sk::MapOutputs::kReached)
    for (size_t i = 0; i < expected.out_sites.size(); ++i)
      if ((*map)->out_coords()[i] != expected.out_sites[i]) return "output sites differ";
  std::string problem = compare(**map, expected);
  return problem.empty() && (*map)->view().tiles ? compare_tiles(**map, expected) : problem;
}

}  // namespace sk_test

#include "map_problem.h"

#include <map>

namespace sk_test {
namespace {

// Some sites of a grid, ascending.
std::vector<int32_t> some_sites(Random& random, int axes, int64_t batch, const int64_t* extent, int percent) {
  std::vector<int32_t> sites, site(static_cast<size_t>(1 + axes));
  for (;;) {
    if (random.below(100) < percent) sites.insert(sites.end(), site.begin(), site.end());
    int a = axes;
    for (; a >= 0; --a) {
      if (++site[static_cast<size_t>(a)] < (a == 0 ? batch : extent[a - 1])) break;
      site[static_cast<size_t>(a)] = 0;
    }
    if (a < 0) return sites;
  }
}

// Sites that are the tiles of a grid of cells, or some of them.
std::vector<int32_t> tiled_sites(const std::vector<int32_t>& cells, const int64_t* tile, const int64_t* extent) {
  std::vector<int32_t> sites;
  std::map<std::vector<int32_t>, bool> kept;
  for (size_t i = 0; i < cells.size(); i += 3) kept[{cells[i], cells[i + 1], cells[i + 2]}] = true;
  for (int32_t b = 0; b < 2; ++b)
    for (int32_t y = 0; y < extent[0]; ++y)
      for (int32_t x = 0; x < extent[1]; ++x)
        if (kept.count({b, static_cast<int32_t>(y / tile[0]), static_cast<int32_t>(x / tile[1])})) sites.insert(sites.end(), {b, y, x});
  return sites;
}

// A mask of cells, and a kernel that is a box or a few offsets around it.
Problem tiled_problem(Random& random) {
  Problem p;
  p.axes = 2;
  p.batch = 2;
  p.outputs = random.below(2) ? sk::MapOutputs::kSame : random.below(2) ? sk::MapOutputs::kGiven : sk::MapOutputs::kReached;
  p.transposed = false;
  p.edge = random.below(2) ? Edge::kEnd : Edge::kStart;
  const int64_t size = random.below(2) ? 4 : 8, cells[] = {1 + random.below(4), 1 + random.below(4)};
  int64_t in_tile[2], out_tile[] = {size, size};
  for (int a = 0; a < 2; ++a) {
    p.stride[a] = p.outputs == sk::MapOutputs::kSame ? 1 : 1 + random.below(2);
    in_tile[a] = size * p.stride[a];
    p.in_extent[a] = cells[a] * in_tile[a];
    p.out_extent[a] = cells[a] * size;
  }
  const std::vector<int32_t> mask = some_sites(random, 2, 2, cells, random.below(2) ? 100 : 30 + random.below(71));
  p.in = tiled_sites(mask, in_tile, p.in_extent);
  if (p.outputs == sk::MapOutputs::kGiven) p.out = tiled_sites(mask, out_tile, p.out_extent);
  const int reach = 1 + random.below(3);
  for (int i = 0; i < 9 + random.below(20); ++i)
    for (int a = 0; a < 2; ++a) p.offsets.push_back(random.below(2 * reach + 1) - reach);
  return p;
}

}  // namespace

Problem random_problem(Random& random) {
  if (random.below(4) == 0) return tiled_problem(random);
  Problem p;
  p.axes = 1 + random.below(4);
  p.batch = 1 + random.below(2);
  p.outputs = static_cast<sk::MapOutputs>(random.below(3));
  p.transposed = p.outputs != sk::MapOutputs::kSame && random.below(2);
  p.edge = random.below(2) ? Edge::kEnd : Edge::kStart;
  for (int a = 0; a < p.axes; ++a) {
    p.in_extent[a] = 1 + random.below(p.axes > 2 ? 4 : 8);
    p.out_extent[a] = p.outputs == sk::MapOutputs::kSame ? p.in_extent[a] : 1 + random.below(8);
    p.stride[a] = p.outputs == sk::MapOutputs::kSame ? 1 : 1 + random.below(3);
  }
  p.in = some_sites(random, p.axes, p.batch, p.in_extent, random.below(101));
  if (p.outputs == sk::MapOutputs::kGiven) p.out = some_sites(random, p.axes, p.batch, p.out_extent, random.below(101));
  for (int i = (1 + random.below(9)) * p.axes; i > 0; --i) p.offsets.push_back(random.below(9) - 4);
  return p;
}

Pairs expected_pairs(const Problem& p) {
  const size_t width = static_cast<size_t>(1 + p.axes), groups = p.offsets.size() / static_cast<size_t>(p.axes);
  Pairs result;
  std::vector<std::vector<std::pair<int32_t, std::vector<int32_t>>>> met(groups);  // input row, output site
  std::map<std::vector<int32_t>, int32_t> rows;                                    // of the output sites
  for (size_t g = 0; g < groups; ++g)
    for (size_t i = 0; i * width < p.in.size(); ++i) {
      std::vector<int32_t> site(p.in.begin() + static_cast<int64_t>(i * width), p.in.begin() + static_cast<int64_t>((i + 1) * width));
      bool there = true;
      for (int a = 0; a < p.axes; ++a) {
        int32_t& c = site[static_cast<size_t>(1 + a)];
        const int32_t d = p.offsets[g * static_cast<size_t>(p.axes) + static_cast<size_t>(a)], s = static_cast<int32_t>(p.stride[a]);
        if (p.transposed) {
          c = c * s + d;
        } else {
          there &= (c - d) % s == 0;
          c = (c - d) / s;
        }
        there &= c >= 0 && c < p.out_extent[a];
      }
      if (!there) continue;
      met[g].push_back({static_cast<int32_t>(i), site});
      if (p.outputs == sk::MapOutputs::kReached) rows[site] = 0;
    }
  const std::vector<int32_t>& given = p.outputs == sk::MapOutputs::kSame ? p.in : p.out;
  for (size_t i = 0; i < given.size(); i += width)
    rows[std::vector<int32_t>(given.begin() + static_cast<int64_t>(i), given.begin() + static_cast<int64_t>(i + width))] = 0;
  int32_t row = 0;
  for (auto& [site, number] : rows) {
    number = row++;
    result.out_sites.insert(result.out_sites.end(), site.begin(), site.end());
  }
  for (const auto& list : met) {
    result.groups.emplace_back();
    for (const auto& [in, site] : list)
      if (const auto found = rows.find(site); found != rows.end()) result.groups.back().push_back({in, found->second});
  }
  return result;
}

}  // namespace sk_test

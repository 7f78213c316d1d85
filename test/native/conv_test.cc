// Maps and mapmm, each operand directly beside pages that trap. Pairs are compared with those that trying every input, offset and output
// gives; outputs with a float64 sum over these pairs.
#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "../../native/core/parallel.h"
#include "../../native/map/map.h"
#include "../../native/mapmm/mapmm.h"
#include "../../native/mapouter/mapouter.h"
#include "../../native/mapreduce/mapreduce.h"
#include "guarded.h"
#include "harness.h"
#include "oracle.h"

namespace sk_test {
namespace {

struct Problem {
  int axes;
  int64_t batch, in_extent[sk::kMaxAxes], out_extent[sk::kMaxAxes], stride[sk::kMaxAxes];
  std::vector<int32_t> in, out, offsets;  // out: given sites
  sk::MapOutputs outputs;
  bool transposed;
  Edge edge;
};

struct Pairs {
  std::vector<std::vector<std::pair<int32_t, int32_t>>> groups;
  std::vector<int32_t> out_sites;
};

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

// Runs a random layer over the map and over its swapped twin, with the weight transposed.
std::string multiply(Random& random, const sk::Map& map, Edge edge, bool depthwise, const char* isa, bool transposed, std::string* kernel) {
  const bool tiles = map.view().tiles != nullptr;
  const int64_t splits = depthwise ? 2 + random.below(70) : tiles ? 1 : 1 + random.below(3);
  const int64_t in = depthwise ? 1 : 1 + random.below(random.below(4) ? tiles ? 9 : 40 : tiles ? 300 : 600);
  const int64_t out = depthwise ? 1 : 1 + random.below(random.below(4) ? 70 : 300);
  const int64_t groups = map.groups();
  const bool relu = random.below(2);
  const std::vector<float> weight = random_dense(random, splits * out * groups * in, true), bias = random_dense(random, splits * out, true);
  const std::vector<float> x = random_dense(random, map.in_rows() * splits * in, true);
  std::vector<double> y(static_cast<size_t>(map.out_rows() * splits * out));
  for (size_t i = 0; i < y.size(); ++i) y[i] = bias[i % static_cast<size_t>(splits * out)];
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t p = map.starts()[g]; p < map.starts()[g + 1]; ++p)
      for (int64_t s = 0; s < splits; ++s)
        for (int64_t o = 0; o < out; ++o)
          for (int64_t i = 0; i < in; ++i) {
            const int64_t w = transposed ? ((s * in + i) * groups + g) * out + o : ((s * out + o) * groups + g) * in + i;
            y[static_cast<size_t>((map.out()[p] * splits + s) * out + o)] +=
                static_cast<double>(weight[static_cast<size_t>(w)]) * x[static_cast<size_t>((map.in()[p] * splits + s) * in + i)];
          }
  if (relu)
    for (double& v : y) v = v < 0 ? 0 : v;

  std::shared_ptr<const sk::MapmmPlan> plan;
  {
    const Guarded<float> guarded_weight(weight, edge), guarded_bias(bias, edge);
    sk::MapmmOptions o;
    o.weight = guarded_weight.data();
    o.bias = guarded_bias.data();
    o.transposed = transposed;
    o.groups = groups, o.in = in, o.out = out, o.splits = splits;
    o.activation = relu ? sk::MapActivation::kRelu : sk::MapActivation::kNone;
    o.isa = isa;
    if (const sk::Status status = sk::MapmmPlan::create(o, &plan); !status.ok()) return status.message();
  }
  *kernel = std::string(plan->kernel().name) + (plan->gathers_tiles(map.view()) ? ", tiles" : "");
  const Guarded<float> guarded_x(x, edge), guarded_y(y.size(), edge);
  if (const sk::Status status = plan->run(map.view(), guarded_x.data(), guarded_y.data(), nullptr); !status.ok()) return status.message();
  if (!guarded_y.slack_untouched()) return "run() wrote beside y";
  if (!same_bits(guarded_x.data(), x.data(), static_cast<int64_t>(x.size()))) return "run() wrote to x";
  const int64_t i = first_difference(guarded_y.data(), y, 0);
  return i < 0 ? "" : "y[" + std::to_string(i) + "] differs";
}

// The weight gradient of a random layer, against a sum over the pairs.
std::string outer(Random& random, const sk::Map& map, Edge edge, const char* isa) {
  const int64_t splits = 1 + random.below(3), in = 1 + random.below(130), out = 1 + random.below(150), groups = map.groups();
  const std::vector<float> x = random_dense(random, map.in_rows() * splits * in, true),
                           dy = random_dense(random, map.out_rows() * splits * out, true);
  std::vector<double> dw(static_cast<size_t>(splits * out * groups * in));
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t p = map.starts()[g]; p < map.starts()[g + 1]; ++p)
      for (int64_t s = 0; s < splits; ++s)
        for (int64_t o = 0; o < out; ++o)
          for (int64_t i = 0; i < in; ++i)
            dw[static_cast<size_t>(((s * out + o) * groups + g) * in + i)] +=
                static_cast<double>(dy[static_cast<size_t>((map.out()[p] * splits + s) * out + o)]) *
                x[static_cast<size_t>((map.in()[p] * splits + s) * in + i)];
  const Guarded<float> guarded_x(x, edge), guarded_dy(dy, edge), guarded_dw(dw.size(), edge);
  sk::MapouterOptions o;
  o.in = in, o.out = out, o.splits = splits;
  o.x = guarded_x.data(), o.dy = guarded_dy.data(), o.dw = guarded_dw.data();
  o.isa = isa;
  if (const sk::Status status = sk::map_outer(map.view(), o, nullptr); !status.ok()) return status.message();
  if (!guarded_dw.slack_untouched()) return "map_outer() wrote beside dw";
  return first_difference(guarded_dw.data(), dw, 0) < 0 ? "" : "dw differs";
}

// Sums, maxima and the gradient of maxima.
std::string reduce(Random& random, const sk::Map& map, Edge edge) {
  const int64_t channels = 1 + random.below(40);
  const std::vector<float> x = random_dense(random, map.in_rows() * channels, true), row = random_dense(random, map.out_rows(), true);
  const size_t size = static_cast<size_t>(map.out_rows() * channels);
  std::vector<double> sum(size), max(size), gradient(x.size());
  std::vector<int64_t> winner(size, -1);  // the input element
  for (size_t e = 0; e < size; ++e) max[e] = row[e / static_cast<size_t>(channels)];
  for (int64_t p = 0; p < map.pairs(); ++p)
    for (int64_t c = 0; c < channels; ++c) {
      const size_t i = static_cast<size_t>(map.in()[p] * channels + c), o = static_cast<size_t>(map.out()[p] * channels + c);
      sum[o] += static_cast<double>(x[i]) * row[static_cast<size_t>(map.out()[p])];
      if (x[i] > max[o]) max[o] = x[i], winner[o] = static_cast<int64_t>(i);
    }
  const Guarded<float> guarded_x(x, edge), guarded_row(row, edge), y(size, edge), dx(x.size(), edge);
  const Guarded<int32_t> winners(size, edge);
  sk::ReduceOptions o;
  o.channels = channels, o.x = guarded_x.data(), o.row = guarded_row.data(), o.y = y.data();
  if (const sk::Status status = sk::map_reduce(map.view(), o, nullptr); !status.ok()) return status.message();
  if (!y.slack_untouched() || first_difference(y.data(), sum, 0) >= 0) return "the sum differs";
  o.reduction = sk::Reduction::kMax;
  if (random.below(2)) o.winner = winners.data();
  if (const sk::Status status = sk::map_reduce(map.view(), o, nullptr); !status.ok()) return status.message();
  if (!y.slack_untouched() || !winners.slack_untouched() || first_difference(y.data(), max, 0) >= 0) return "the maximum differs";
  if (o.winner == nullptr) return "";
  const std::vector<float> dy = random_dense(random, static_cast<int64_t>(size), true);
  for (size_t e = 0; e < size; ++e)
    if (winner[e] >= 0) gradient[static_cast<size_t>(winner[e])] += dy[e];
  const Guarded<float> guarded_dy(dy, edge);
  sk::ReduceOptions back;
  back.reduction = sk::Reduction::kMaxGradient;
  back.channels = channels, back.x = guarded_dy.data(), back.winner = winners.data(), back.y = dx.data();
  if (const sk::Status status = sk::map_reduce(map.swapped()->view(), back, nullptr); !status.ok()) return status.message();
  return dx.slack_untouched() && first_difference(dx.data(), gradient, 0) < 0 ? "" : "the gradient of the maximum differs";
}

}  // namespace

void conv_suite() {
  sk::ThreadPool& pool = sk::ThreadPool::instance();
  pool.retain();
  pool.set_threads(2);
  Random random(4);
  std::vector<const char*> isas;
  for (const sk::KernelRow& row : sk::mapmm_kernels())
    if (row.supported && std::string(row.pattern) == "dense") isas.push_back(row.isa);
  std::map<std::string, int> ran;
  std::string problem;
  for (int i = 0; i < 600 && problem.empty(); ++i) {
    at("problem %d", i);
    const Problem p = random_problem(random);
    const Pairs expected = expected_pairs(p);
    std::shared_ptr<const sk::Map> map;
    problem = build(p, expected, &map);
    if (!problem.empty()) break;
    if (i % 3) continue;  // products cost more
    const bool depthwise = random.below(3) == 0, transposed = random.below(2);
    const char* isa = isas[static_cast<size_t>(i / 3) % isas.size()];
    std::string kernel;
    problem = multiply(random, transposed ? *map->swapped() : *map, p.edge, depthwise, isa, transposed, &kernel);
    ++ran[kernel];
    if (problem.empty()) problem = outer(random, *map, p.edge, isa);
    if (problem.empty()) problem = reduce(random, *map, p.edge);
  }
  check(problem.empty(), problem.empty() ? "600 maps, and products, weight gradients and reductions over 200 of them"
                                         : std::string(current_case) + ": " + problem);
  for (const sk::KernelRow& row : sk::mapmm_kernels())
    for (const char* nest : {"", ", tiles"})
      if (row.supported) check(ran[row.name + std::string(nest)] > 0, std::string("row ") + row.name + nest + " was exercised");
  pool.set_threads(1);
  pool.release();
}

}  // namespace sk_test

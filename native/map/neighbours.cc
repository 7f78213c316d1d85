// Input i meets output o under offset d if key(i) = key(o) + delta, where the keys are of a grid so padded that no offset leads from one
// site to the key of another line, and delta is one number per offset. So all of a map is walks of two pointers along one sorted array:
//
//   - Offsets that are neighbours on the last axis share a walk: their targets are consecutive keys, all near one pointer.
//   - The pairs of -delta are those of delta with in and out exchanged: half of the walks are copies.
#include "neighbours.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "../core/parallel.h"

namespace sk {
namespace {

constexpr int64_t kChunk = 8192;  // output rows of one task
constexpr int kLongestRun = 4;    // offsets of one walk

// One group to be walked for, or copied from one that is.
struct Group {
  int64_t delta, group;
  int64_t walked = -1;  // index among the walked deltas
  bool mirrored = false;
};

// Matches of up to kRun consecutive deltas for the output rows [first, end).
template <int kRun>
void walk(const int64_t* keys, int64_t rows, int64_t delta, int64_t first, int64_t end, int32_t* const* in, int32_t* const* out,
          int64_t* counts) {
  int64_t found[kRun] = {};
  int64_t j = std::lower_bound(keys, keys + rows, keys[first] + delta) - keys;
  for (int64_t o = first; o < end; ++o) {
    const int64_t target = keys[o] + delta;
    while (keys[j] < target) ++j;
    int64_t i = j;
#pragma GCC unroll 4
    for (int r = 0; r < kRun; ++r) {  // no branch: whether a neighbour is there cannot be predicted
      const int64_t match = keys[i] == target + r;
      in[r][found[r]] = static_cast<int32_t>(i);
      out[r][found[r]] = static_cast<int32_t>(o);
      found[r] += match;
      i += match;
    }
  }
  for (int r = 0; r < kRun; ++r) counts[r] = found[r];
}

using Walk = void (*)(const int64_t*, int64_t, int64_t, int64_t, int64_t, int32_t* const*, int32_t* const*, int64_t*);
constexpr Walk kWalks[] = {walk<1>, walk<2>, walk<3>, walk<4>};

Status no_memory() { return Status(Code::kMemory, "no memory for the pairs of a map"); }

}  // namespace

Status neighbour_pairs(const MapOptions& options, PairLists* lists) {
  const Grid& grid = options.in_grid;
  const int64_t groups = options.groups, rows = options.in.rows;
  int64_t reach[kMaxAxes] = {};
  for (int64_t g = 0; g < groups; ++g)
    for (int a = 0; a < grid.axes; ++a) reach[a] = std::max<int64_t>(reach[a], std::abs(int64_t{options.offsets[g * grid.axes + a]}));
  Keys steps;
  AlignedBuffer key_buffer;
  if (Status status = grid_keys(grid, reach, &steps); !status.ok()) return status;
  if (Status status = site_keys(grid, steps, options.in, &key_buffer); !status.ok()) return status;
  const int64_t* keys = key_buffer.as<int64_t>();

  // Which deltas are walked, in ascending order.
  std::vector<Group> by_delta(static_cast<size_t>(groups));
  for (int64_t g = 0; g < groups; ++g) {
    by_delta[g].group = g;
    for (int a = 0; a < grid.axes; ++a) by_delta[g].delta += options.offsets[g * grid.axes + a] * steps.step[1 + a];
  }
  std::sort(by_delta.begin(), by_delta.end(), [](const Group& a, const Group& b) { return a.delta < b.delta; });
  const auto less = [](const Group& a, int64_t delta) { return a.delta < delta; };
  std::vector<int64_t> walked;
  for (Group& group : by_delta) {
    const auto twin = std::lower_bound(by_delta.begin(), by_delta.end(), -group.delta, less);
    if (group.delta > 0 && twin != by_delta.end() && twin->delta == -group.delta) {
      group.mirrored = true;
      group.walked = twin->walked;
      continue;
    }
    if (walked.empty() || walked.back() != group.delta) walked.push_back(group.delta);
    group.walked = static_cast<int64_t>(walked.size()) - 1;
  }

  // Walk twice, first to count, then to keep: so nothing is ever as large as the map but the map. What a walk finds in a chunk goes through
  // scratch memory, as a walk also writes where it finds nothing.
  const int64_t deltas = static_cast<int64_t>(walked.size()), chunks = ceil_div(rows, kChunk);
  std::vector<int64_t> counts(static_cast<size_t>(deltas * chunks));  // [chunk][delta]
  std::atomic<bool> failed{false};
  const auto walk_all = [&](auto&& use) {  // use(delta, chunk, its pairs, how many)
    parallel_for(chunks, 1024, [&](int64_t chunk, int) {
      auto* scratch = static_cast<int32_t*>(thread_scratch(static_cast<size_t>(2 * kLongestRun * kChunk) * 4));
      if (scratch == nullptr) {
        failed.store(true);
        return;
      }
      const int64_t first = chunk * kChunk, end = std::min(first + kChunk, rows);
      for (int64_t d = 0; d < deltas;) {
        int run = 1;
        while (run < kLongestRun && d + run < deltas && walked[d + run] == walked[d] + run) ++run;
        int32_t *in[kLongestRun], *out[kLongestRun];
        for (int r = 0; r < run; ++r) {
          in[r] = scratch + 2 * r * kChunk;
          out[r] = in[r] + kChunk;
        }
        int64_t found[kLongestRun];
        kWalks[run - 1](keys, rows, walked[d], first, end, in, out, found);
        for (int r = 0; r < run; ++r) use(d + r, chunk, in[r], out[r], found[r]);
        d += run;
      }
    });
  };
  walk_all([&](int64_t d, int64_t chunk, const int32_t*, const int32_t*, int64_t found) { counts[chunk * deltas + d] = found; });
  if (failed.load()) return no_memory();

  // Where the lists of every group begin, and the pairs of every (chunk, delta) in its first group that is walked for.
  std::vector<int64_t> of_delta(static_cast<size_t>(deltas)), home(static_cast<size_t>(deltas), -1);
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (int64_t d = 0; d < deltas; ++d) of_delta[d] += counts[chunk * deltas + d];
  if (!lists->starts.reserve(static_cast<size_t>(groups + 1) * 8)) return no_memory();
  int64_t* starts = lists->starts.as<int64_t>();
  starts[0] = 0;
  for (const Group& group : by_delta) {
    starts[group.group + 1] = of_delta[group.walked];
    if (!group.mirrored && home[group.walked] < 0) home[group.walked] = group.group;
  }
  for (int64_t g = 0; g < groups; ++g) starts[g + 1] += starts[g];
  if (!lists->in.reserve(static_cast<size_t>(starts[groups]) * 4) || !lists->out.reserve(static_cast<size_t>(starts[groups]) * 4))
    return no_memory();
  int32_t *in_list = lists->in.as<int32_t>(), *out_list = lists->out.as<int32_t>();
  for (int64_t d = 0; d < deltas; ++d)
    for (int64_t chunk = 0, at = starts[home[d]]; chunk < chunks; ++chunk) at += std::exchange(counts[chunk * deltas + d], at);
  walk_all([&](int64_t d, int64_t chunk, const int32_t* in, const int32_t* out, int64_t found) {
    std::copy_n(in, found, in_list + counts[chunk * deltas + d]);
    std::copy_n(out, found, out_list + counts[chunk * deltas + d]);
  });
  if (failed.load()) return no_memory();
  parallel_for(groups, 1024, [&](int64_t i, int) {
    const Group& group = by_delta[i];
    const int64_t from = starts[home[group.walked]], to = starts[group.group], count = of_delta[group.walked];
    if (from == to) return;
    std::copy_n((group.mirrored ? out_list : in_list) + from, count, in_list + to);
    std::copy_n((group.mirrored ? in_list : out_list) + from, count, out_list + to);
  });
  return Status();
}

}  // namespace sk

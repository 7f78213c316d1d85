// Random maps with their pairs, as trying every input, offset and output gives them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../../native/map/map.h"
#include "guarded.h"
#include "oracle.h"

namespace sk_test {

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

Problem random_problem(Random& random);
Pairs expected_pairs(const Problem& problem);

// Builds the map of a problem, each operand directly beside pages that trap. What differs from the expected pairs, or nothing.
std::string build(const Problem& problem, const Pairs& expected, std::shared_ptr<const sk::Map>* map);

// Reductions of random numbers over a map, and their gradients. What differs from sums over its pairs, or nothing.
std::string reduce(Random& random, const sk::Map& map, Edge edge);

}  // namespace sk_test

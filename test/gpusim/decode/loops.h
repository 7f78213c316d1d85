// The loops of a decoded function.
#pragma once
#include "flow.h"

namespace gpusim {

struct Loop {
  int32_t header;  // block
  int parent = -1;
  bool innermost = true;
  std::vector<int32_t> blocks;  // in ascending order, with those of the loops inside
};

// Natural loops, outer ones before the loops inside them.
std::vector<Loop> find_loops(const std::vector<BasicBlock>& blocks);

}  // namespace gpusim

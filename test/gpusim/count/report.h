// The counters of each launch as JSON, in the file that GPUSIM_REPORT names: an array with one object a launch.
#pragma once
#include <string>

#include "counters.h"

namespace gpusim {

struct LaunchFacts {
  std::string kernel, device, limit;
  uint32_t grid[3], block[3];
  size_t static_shared, dynamic_shared;
  int registers, blocks_per_sm, threads_per_sm;
  bool registers_from_ptxas;
  double seconds;
  const Counters* counters;
};

void append_report(const std::string& file, const LaunchFacts& facts);

}  // namespace gpusim

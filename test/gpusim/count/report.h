// The counters of each launch as JSON, in the file that GPUSIM_REPORT names: an array with one object a launch.
#pragma once
#include <string>
#include <vector>

#include "counters.h"

namespace gpusim {

// What the warps executed in one loop of a kernel's PTX, loops inside it included.
struct LoopFacts {
  std::string function, file;
  int first_line, last_line;  // of the source; 0 without -lineinfo
  int first_ptx_line, last_ptx_line;
  int depth;  // 0: in no other loop
  bool innermost;
  uint64_t iterations;  // executions of its first instruction
  uint64_t warp_instructions[Counters::kClasses];
};

// A source line that costs more than it must.
struct LineFacts {
  std::string line;  // file:line, or PTX line without -lineinfo
  uint64_t bank_conflicts, excess_sectors;
};

struct LaunchFacts {
  std::string kernel, device, limit;
  uint32_t grid[3], block[3];
  size_t static_shared, dynamic_shared;
  int registers, spilled_bytes, blocks_per_sm, threads_per_sm;
  bool registers_from_ptxas;
  double seconds;
  const Counters* counters;
  std::vector<LoopFacts> loops;
  std::vector<LineFacts> lines;
};

void append_report(const std::string& file, const LaunchFacts& facts);

}  // namespace gpusim

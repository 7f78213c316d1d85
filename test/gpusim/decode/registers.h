// Gives virtual registers their places in the frame. Registers whose lives do not overlap share one, so that a kernel with thousands of
// virtual registers works in a few kilobytes.
#pragma once
#include "../isa/build.h"
#include "flow.h"

namespace gpusim {

struct Placement {
  std::vector<uint32_t> offsets;  // by virtual register
  uint32_t bytes = 0;             // of the frame
  int live = 0;                   // most 32-bit registers alive at once
};

// uses: of each instruction.
Placement place_registers(const Function& function, const std::vector<Inst>& code, const std::vector<std::vector<Registers::Use>>& uses,
                          const std::vector<BasicBlock>& blocks, uint32_t first_free);

}  // namespace gpusim

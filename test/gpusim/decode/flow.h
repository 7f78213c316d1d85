// Control flow of a decoded function: basic blocks and the immediate post-dominator of each branch.
#pragma once
#include <cstdint>
#include <vector>

#include "../exec/inst.h"

namespace gpusim {

struct BasicBlock {
  int32_t first, end;         // instructions [first, end)
  std::vector<int32_t> next;  // blocks; the number of blocks stands for the end of the function
};

std::vector<BasicBlock> basic_blocks(const std::vector<Inst>& code);
// Sets Inst::reconverge of every branch.
void find_reconvergence(std::vector<Inst>& code, const std::vector<BasicBlock>& blocks);

}  // namespace gpusim

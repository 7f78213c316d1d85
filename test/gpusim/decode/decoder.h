// From a parsed function to one that runs.
#pragma once
#include <memory>

#include "../isa/build.h"

namespace gpusim {

// Where variables of a function's body, and parameters of a device function, lie in the local memory of its frame.
struct LocalLayout {
  explicit LocalLayout(const Function& function);
  std::map<const Variable*, size_t> offsets;
  size_t bytes = 0;
};

// Throws Fault for unknown instructions, modifiers and operands.
std::unique_ptr<Code> decode(const Module& module, const Function& function, const LocalLayout& locals, Symbols& symbols);

}  // namespace gpusim

// Register counts as ptxas gives them.
#pragma once
#include <map>
#include <string>

namespace gpusim {

// Runs the ptxas that GPUSIM_PTXAS names; empty if that fails.
std::map<std::string, int> registers_from_ptxas(const std::string& ptx, int capability);

}  // namespace gpusim

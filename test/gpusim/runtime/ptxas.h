// Registers and spills as ptxas gives them.
#pragma once
#include <map>
#include <string>

namespace gpusim {

struct Resources {
  int registers = 0;
  int spilled_bytes = 0;  // stored and loaded, of one thread
};

// By kernel. Runs the ptxas that GPUSIM_PTXAS names; has only an entry without a name if that fails.
std::map<std::string, Resources> resources_from_ptxas(const std::string& ptx, int capability);

}  // namespace gpusim

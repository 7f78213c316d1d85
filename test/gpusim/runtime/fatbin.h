// PTX in the fat binaries that nvcc puts into programs.
#pragma once
#include <string>

namespace gpusim {

// The PTX for the newest architecture that a device of this capability (80 for 8.0) can run. Returns "" and says why in *problem if there
// is none. `wrapper` is what programs register.
std::string ptx_of(const void* wrapper, int capability, std::string* problem);

}  // namespace gpusim

// From counted instructions to loops and source lines.
#pragma once
#include "../count/report.h"

namespace gpusim {

void add_profile(const Counters& counters, LaunchFacts* facts);

}  // namespace gpusim

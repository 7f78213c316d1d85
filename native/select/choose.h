// The kernel that both forms of select run.
#pragma once

#include <string>

#include "../core/status.h"
#include "kernel.h"

namespace sk {

Status choose_select_kernel(const std::string& isa, const SelectKernel** kernel);

}  // namespace sk

// Functions that PTX only declares and every device has: vprintf, malloc, free, __assertfail.
#pragma once
#include <string_view>

#include "../exec/warp.h"

namespace gpusim {

bool is_builtin(std::string_view name);
void call_builtin(Warp& w, const Function& callee, const CallLayout& layout, Mask active);

}  // namespace gpusim

// The union of ascending lists.
#pragma once

#include <cstdint>

#include "../core/memory.h"
#include "../core/status.h"

namespace sk {

// The distinct numbers of `groups` ascending lists, list g at keys[starts[g] .. starts[g + 1]): united [*count + 1], ascending, with a last
// one that is larger than any. kMemory too where they are 2^31 - 1 and more.
Status unite(const int64_t* keys, const int64_t* starts, int64_t groups, AlignedBuffer* united, int64_t* count);

}  // namespace sk

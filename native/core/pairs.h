// The pairs of a map, as the map lends them to the verbs that work over one.
#pragma once

#include <cstdint>

namespace sk {

// Grouped: those of group g are [starts[g], starts[g + 1]). Both columns strictly ascend inside a group, and every index is inside its
// rows.
struct PairsView {
  int64_t groups;
  const int64_t* starts;  // [groups + 1]
  const int32_t *in, *out;
  int64_t in_rows, out_rows;
};

}  // namespace sk

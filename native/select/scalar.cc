// Every other machine: 4 lanes of portable vector code.
#include "../simd/vec_portable.h"
#include "groups.h"
#include "rows.h"

namespace sk {

using V = Portable<4>;

#define SK_SELECT_SCALAR(row)                                                                                 \
  extern const SelectKernel select_##row##_scalar = {                                                         \
      "select_" #row "_scalar",                                                                               \
      V::kLanes,                                                                                              \
      {&Groups<V, 2>::run, &Groups<V, 4>::run, &Groups<V, 8>::run, &Groups<V, 16>::run, &Groups<V, 32>::run}, \
      &Rows<V>::census,                                                                                       \
      &Rows<V>::spread,                                                                                       \
      &Rows<V>::above,                                                                                        \
      &Rows<V>::list,                                                                                         \
      &Rows<V>::mask};
#include "kernels.def"

}  // namespace sk

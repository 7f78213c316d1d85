// The AVX-512 instantiation on portable vectors, for tests on machines without AVX-512.
#include "../simd/vec_portable.h"
#include "groups.h"
#include "rows.h"

namespace sk {

using V = Portable<16>;

#define SK_SELECT_SCALAR16(row)                                                                               \
  extern const SelectKernel select_##row##_scalar16 = {                                                       \
      "select_" #row "_scalar16",                                                                             \
      V::kLanes,                                                                                              \
      {&Groups<V, 2>::run, &Groups<V, 4>::run, &Groups<V, 8>::run, &Groups<V, 16>::run, &Groups<V, 32>::run}, \
      &Rows<V>::census,                                                                                       \
      &Rows<V>::spread,                                                                                       \
      &Rows<V>::above,                                                                                        \
      &Rows<V>::list,                                                                                         \
      &Rows<V>::mask};
#include "kernels.def"

}  // namespace sk

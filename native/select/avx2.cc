// AVX2: 8 lanes.
#include "../simd/vec_avx2.h"
#include "groups.h"
#include "rows.h"

namespace sk {

using V = Avx2;

#define SK_SELECT_AVX2(row)                                                                                   \
  extern const SelectKernel select_##row##_avx2 = {                                                           \
      "select_" #row "_avx2",                                                                                 \
      V::kLanes,                                                                                              \
      {&Groups<V, 2>::run, &Groups<V, 4>::run, &Groups<V, 8>::run, &Groups<V, 16>::run, &Groups<V, 32>::run}, \
      &Rows<V>::census,                                                                                       \
      &Rows<V>::spread,                                                                                       \
      &Rows<V>::above,                                                                                        \
      &Rows<V>::list,                                                                                         \
      &Rows<V>::mask};
#include "kernels.def"

}  // namespace sk

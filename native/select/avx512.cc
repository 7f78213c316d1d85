// AVX-512: 16 lanes.
#include "../simd/vec_avx512.h"
#include "groups.h"
#include "rows.h"

namespace sk {

using V = Avx512;

#define SK_SELECT_AVX512(row)                                                                                 \
  extern const SelectKernel select_##row##_avx512 = {                                                         \
      "select_" #row "_avx512",                                                                               \
      V::kLanes,                                                                                              \
      {&Groups<V, 2>::run, &Groups<V, 4>::run, &Groups<V, 8>::run, &Groups<V, 16>::run, &Groups<V, 32>::run}, \
      &Rows<V>::census,                                                                                       \
      &Rows<V>::spread,                                                                                       \
      &Rows<V>::above,                                                                                        \
      &Rows<V>::list,                                                                                         \
      &Rows<V>::mask};
#include "kernels.def"

}  // namespace sk

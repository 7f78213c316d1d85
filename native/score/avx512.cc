// AVX-512: 16 lanes.
#include "../simd/vec_avx512.h"
#include "tile.h"

namespace sk {

using V = Avx512;
using S = Scores<V, 12>;

#define SK_SCORE_AVX512(row)                                                                       \
  extern const ScoreKernel score_##row##_avx512 = {                                                \
      "score_" #row "_avx512", V::kLanes,    S::kPanel, &S::pack, &S::tile, &S::few, &S::greatest, \
      &S::exponentials,        &S::multiply, &S::add,   &S::raise};
#include "kernels.def"

}  // namespace sk

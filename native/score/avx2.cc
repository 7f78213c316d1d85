// AVX2: 8 lanes.
#include "../simd/vec_avx2.h"
#include "tile.h"

namespace sk {

using V = Avx2;
using S = Scores<V, 6>;

#define SK_SCORE_AVX2(row)                                                                                                           \
  extern const ScoreKernel score_##row##_avx2 = {"score_" #row "_avx2", V::kLanes,        S::kPanel,    &S::pack, &S::tile, &S::few, \
                                                 &S::greatest,          &S::exponentials, &S::multiply, &S::add,  &S::raise};
#include "kernels.def"

}  // namespace sk

// AVX2: 8 lanes.
#include "../simd/vec_avx2.h"
#include "tile.h"

namespace sk {

using V = Avx2;
using S = Scores<V, 6>;

#define SK_SCORE_AVX2(row) extern const ScoreKernel score_##row##_avx2 = S::kernel("score_" #row "_avx2");
#include "kernels.def"

}  // namespace sk

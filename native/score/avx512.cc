// AVX-512: 16 lanes.
#include "../simd/vec_avx512.h"
#include "tile.h"

namespace sk {

using V = Avx512;
using S = Scores<V, 12>;

#define SK_SCORE_AVX512(row) extern const ScoreKernel score_##row##_avx512 = S::kernel("score_" #row "_avx512");
#include "kernels.def"

}  // namespace sk

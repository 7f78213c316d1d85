// The AVX-512 instantiation on portable vectors, for tests on machines without AVX-512.
#include "../simd/vec_portable.h"
#include "tile.h"

namespace sk {

using V = Portable<16>;
using S = Scores<V, 12>;

#define SK_SCORE_SCALAR16(row) extern const ScoreKernel score_##row##_scalar16 = S::kernel("score_" #row "_scalar16");
#include "kernels.def"

}  // namespace sk

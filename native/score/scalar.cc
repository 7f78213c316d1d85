// Every other machine: 4 lanes of portable vector code.
#include "../simd/vec_portable.h"
#include "tile.h"

namespace sk {

using V = Portable<4>;
using S = Scores<V, 4>;

#define SK_SCORE_SCALAR(row) extern const ScoreKernel score_##row##_scalar = S::kernel("score_" #row "_scalar");
#include "kernels.def"

}  // namespace sk

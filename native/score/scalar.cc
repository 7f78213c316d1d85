// Every other machine: 4 lanes of portable vector code.
#include "../simd/vec_portable.h"
#include "tile.h"

namespace sk {

using V = Portable<4>;
using S = Scores<V, 4>;

#define SK_SCORE_SCALAR(row)                                                                       \
  extern const ScoreKernel score_##row##_scalar = {                                                \
      "score_" #row "_scalar", V::kLanes,    S::kPanel, &S::pack, &S::tile, &S::few, &S::greatest, \
      &S::exponentials,        &S::multiply, &S::add,   &S::raise};
#include "kernels.def"

}  // namespace sk

// Every other machine: 4 lanes of portable vector code.
#include "../simd/vec_portable.h"
#include "windows.h"

namespace sk {

using V = Portable<4>;

#define SK_POOL_SCALAR(row) \
  extern const PoolKernel pool_##row##_scalar = {"pool_" #row "_scalar", V::kLanes, &Windows<V>::sum, &Windows<V>::extremes};
#include "kernels.def"

}  // namespace sk

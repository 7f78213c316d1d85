// The AVX-512 instantiation on portable vectors, for tests on machines without AVX-512.
#include "../simd/vec_portable.h"
#include "windows.h"

namespace sk {

using V = Portable<16>;

#define SK_POOL_SCALAR16(row) \
  extern const PoolKernel pool_##row##_scalar16 = {"pool_" #row "_scalar16", V::kLanes, &Windows<V>::sum, &Windows<V>::extremes};
#include "kernels.def"

}  // namespace sk

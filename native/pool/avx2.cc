// AVX2: 8 lanes.
#include "../simd/vec_avx2.h"
#include "windows.h"

namespace sk {

using V = Avx2;

#define SK_POOL_AVX2(row) \
  extern const PoolKernel pool_##row##_avx2 = {"pool_" #row "_avx2", V::kLanes, &Windows<V>::sum, &Windows<V>::extremes};
#include "kernels.def"

}  // namespace sk

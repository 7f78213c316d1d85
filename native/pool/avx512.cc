// AVX-512: 16 lanes.
#include "../simd/vec_avx512.h"
#include "windows.h"

namespace sk {

using V = Avx512;

#define SK_POOL_AVX512(row) \
  extern const PoolKernel pool_##row##_avx512 = {"pool_" #row "_avx512", V::kLanes, &Windows<V>::sum, &Windows<V>::extremes};
#include "kernels.def"

}  // namespace sk

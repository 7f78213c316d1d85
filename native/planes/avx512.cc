// AVX-512: the same sums of 16 lanes; the latency of the FMA is that of AVX2.
#include "../simd/vec_avx512.h"
#include "tile.h"

namespace sk {

#define SK_PLANES_AVX512(row, block) \
  extern const PlanesKernel planes_##row##_avx512 = {"planes_" #row "_avx512", block, Avx512::kLanes, &planes<Avx512, block>};
#include "kernels.def"

}  // namespace sk

// AVX-512: the same sums of 16 lanes; the latency of the FMA is that of AVX2.
#include "../simd/vec_avx512.h"
#include "tile.h"

namespace sk {

#define SK_PLANES_AVX512(row, block) \
  extern const PlanesKernel planes_##row##_avx512 = planes_kernel<Avx512, block>("planes_" #row "_avx512");
#include "kernels.def"

}  // namespace sk

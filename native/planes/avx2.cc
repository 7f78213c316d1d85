// AVX2 + FMA: 16 registers: ten sums, a quad, a broadcast and the pixels.
#include "../simd/vec_avx2.h"
#include "tile.h"

namespace sk {

#define SK_PLANES_AVX2(row, block) extern const PlanesKernel planes_##row##_avx2 = planes_kernel<Avx2, block>("planes_" #row "_avx2");
#include "kernels.def"

}  // namespace sk

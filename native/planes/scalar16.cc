// The AVX-512 instantiation on portable vectors, for tests on machines without AVX-512.
#include "../simd/vec_portable.h"
#include "tile.h"

namespace sk {

#define SK_PLANES_SCALAR16(row, block) \
  extern const PlanesKernel planes_##row##_scalar16 = planes_kernel<Portable<16>, block>("planes_" #row "_scalar16");
#include "kernels.def"

}  // namespace sk

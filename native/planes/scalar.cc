// Portable code: 4 lanes, which the compiler maps to what the target has.
#include "../simd/vec_portable.h"
#include "tile.h"

namespace sk {

#define SK_PLANES_SCALAR(row, block) \
  extern const PlanesKernel planes_##row##_scalar = planes_kernel<Portable<4>, block>("planes_" #row "_scalar");
#include "kernels.def"

}  // namespace sk

// Portable code: 4 lanes, which the compiler maps to what the target has.
#include "../simd/vec_portable.h"
#include "tile.h"

namespace sk {

#define SK_PLANES_SCALAR(row, block) \
  extern const PlanesKernel planes_##row##_scalar = {"planes_" #row "_scalar", block, Portable<4>::kLanes, &planes<Portable<4>, block>};
#include "kernels.def"

}  // namespace sk

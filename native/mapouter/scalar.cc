// Portable code, 4 lanes.
#include "../simd/vec_portable.h"
#include "tile.h"

namespace sk {

#define SK_MAPOUTER_SCALAR(row) \
  extern const MapouterKernel mapouter_##row##_scalar = {"mapouter_" #row "_scalar", Portable<4>::kLanes, &outer<Portable<4>>};
#include "kernels.def"

}  // namespace sk

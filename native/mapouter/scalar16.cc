// The 16-lane template without AVX-512, for tests.
#include "../simd/vec_portable.h"
#include "tile.h"

namespace sk {

#define SK_MAPOUTER_SCALAR16(row) \
  extern const MapouterKernel mapouter_##row##_scalar16 = {"mapouter_" #row "_scalar16", Portable<16>::kLanes, &outer<Portable<16>>};
#include "kernels.def"

}  // namespace sk

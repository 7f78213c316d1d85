// The 16-lane template without AVX-512, for tests.
#include "../simd/vec_portable.h"
#include "dense.h"
#include "dense_tiles.h"
#include "depthwise.h"
#include "depthwise_tiles.h"

namespace sk {

#define SK_MAPMM_SCALAR16(row, Loops, depthwise)                                                                 \
  extern const MapmmKernel mapmm_##row##_scalar16 = {"mapmm_" #row "_scalar16", depthwise, Portable<16>::kLanes, \
                                                     &Loops<Portable<16>>::run, &Loops##Tiles<Portable<16>>::run};
#include "kernels.def"

}  // namespace sk

// Portable code: 4 lanes, which the compiler maps to what the target has.
#include "../simd/vec_portable.h"
#include "dense.h"
#include "dense_tiles.h"
#include "depthwise.h"
#include "depthwise_tiles.h"

namespace sk {

#define SK_MAPMM_SCALAR(row, Loops, depthwise)                                                                                        \
  extern const MapmmKernel mapmm_##row##_scalar = {"mapmm_" #row "_scalar", depthwise, Portable<4>::kLanes, &Loops<Portable<4>>::run, \
                                                   &Loops##Tiles<Portable<4>>::run};
#include "kernels.def"

}  // namespace sk

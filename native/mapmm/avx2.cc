// AVX2 + FMA: 16 registers of 8 lanes: 12 accumulators, 2 weights, 1 broadcast.
#include "../simd/vec_avx2.h"
#include "dense.h"
#include "dense_tiles.h"
#include "depthwise.h"
#include "depthwise_tiles.h"

namespace sk {

#define SK_MAPMM_AVX2(row, Loops, depthwise)                                                                        \
  extern const MapmmKernel mapmm_##row##_avx2 = {"mapmm_" #row "_avx2", depthwise, Avx2::kLanes, &Loops<Avx2>::run, \
                                                 &Loops##Tiles<Avx2>::run};
#include "kernels.def"

}  // namespace sk

// AVX-512: 12 accumulators of 16 lanes hide the latency of the FMA as well; 32 registers leave room to overlap tiles.
#include "../simd/vec_avx512.h"
#include "dense.h"
#include "dense_tiles.h"
#include "depthwise.h"
#include "depthwise_tiles.h"

namespace sk {

#define SK_MAPMM_AVX512(row, Loops, depthwise)                                                                              \
  extern const MapmmKernel mapmm_##row##_avx512 = {"mapmm_" #row "_avx512", depthwise, Avx512::kLanes, &Loops<Avx512>::run, \
                                                   &Loops##Tiles<Avx512>::run};
#include "kernels.def"

}  // namespace sk

// AVX-512: 12 accumulators of 16 lanes.
#include "../simd/vec_avx512.h"
#include "tile.h"

namespace sk {

#define SK_MAPOUTER_AVX512(row) \
  extern const MapouterKernel mapouter_##row##_avx512 = {"mapouter_" #row "_avx512", Avx512::kLanes, &outer<Avx512>};
#include "kernels.def"

}  // namespace sk

// AVX2 + FMA: 16 registers: 12 accumulators, 2 vectors of dy, 1 broadcast.
#include "../simd/vec_avx2.h"
#include "tile.h"

namespace sk {

#define SK_MAPOUTER_AVX2(row) extern const MapouterKernel mapouter_##row##_avx2 = {"mapouter_" #row "_avx2", Avx2::kLanes, &outer<Avx2>};
#include "kernels.def"

}  // namespace sk

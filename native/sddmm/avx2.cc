// AVX2 + FMA: 16 registers: 8 sums, 1 vector of a.
#include "../simd/vec_avx2.h"
#include "dots.h"

namespace sk {

#define SK_SDDMM_AVX2(row) extern const SddmmKernel sddmm_##row##_avx2 = {"sddmm_" #row "_avx2", Avx2::kLanes, &dots<Avx2>};
#include "kernels.def"

}  // namespace sk

// AVX-512: 32 registers: 16 sums, 1 vector of a.
#include "../simd/vec_avx512.h"
#include "dots.h"

namespace sk {

#define SK_SDDMM_AVX512(row) extern const SddmmKernel sddmm_##row##_avx512 = {"sddmm_" #row "_avx512", Avx512::kLanes, &dots<Avx512>};
#include "kernels.def"

}  // namespace sk

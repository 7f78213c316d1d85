// AVX2 + FMA.
#include "../simd/vec_avx2.h"
#include "columns.h"

namespace sk {

#define SK_KHOT_AVX2(row, type) extern const KHotKernel khot_##row##_avx2 = khot_kernel<Avx2, type>("khot_" #row "_avx2");
#include "kernels.def"

}  // namespace sk

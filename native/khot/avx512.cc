// AVX-512.
#include "../simd/vec_avx512.h"
#include "columns.h"

namespace sk {

#define SK_KHOT_AVX512(row, type) extern const KHotKernel khot_##row##_avx512 = khot_kernel<Avx512, type>("khot_" #row "_avx512");
#include "kernels.def"

}  // namespace sk

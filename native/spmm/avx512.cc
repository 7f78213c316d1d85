// AVX-512: 32 registers of 16 lanes. Panels of six vectors keep two rows (12 chains) in registers and one k block (24 KB) in L1.
#include "../simd/vec_avx512.h"
#include "rows.h"

namespace sk {

#define SK_SPMM_AVX512(row, type, n, m) \
  extern const SpmmKernel spmm_##row##_avx512 = spmm_kernel<Avx512, type, n, m, 6>("spmm_" #row "_avx512");
#include "kernels.def"

}  // namespace sk

// AVX-512: 32 registers of 16 lanes. Panels of six vectors keep two rows (12 chains) in registers and one k block (24 KB) in L1.
#include "../simd/vec_avx512.h"
#include "few_tokens.h"
#include "many_tokens.h"

namespace sk {

#define SK_SPMM_AVX512(row, n, m)                                                                                   \
  extern const SpmmKernel spmm_##row##_avx512 = {                                                                   \
      "spmm_" #row "_avx512",      n, m, Avx512::kLanes, 6, 4, &pack_panel<Avx512>, &many_vectors<Avx512, m, n, 6>, \
      &few_tokens<Avx512, m, n, 4>};
#include "kernels.def"

}  // namespace sk

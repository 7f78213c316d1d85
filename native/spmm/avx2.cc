// AVX2 + FMA: 16 registers of 8 lanes. Panels of eight vectors: 8 accumulators, 1 quad, 1 broadcast; one k block is 16 KB of L1.
#include "../simd/vec_avx2.h"
#include "few_tokens.h"
#include "many_tokens.h"

namespace sk {

#define SK_SPMM_AVX2(row, n, m)                 \
  extern const SpmmKernel spmm_##row##_avx2 = { \
      "spmm_" #row "_avx2", n, m, Avx2::kLanes, 8, 4, &pack_panel<Avx2>, &many_vectors<Avx2, m, n, 8>, &few_tokens<Avx2, m, n, 4>};
#include "kernels.def"

}  // namespace sk

// AVX2 + FMA: 16 registers of 8 lanes. Panels of eight vectors: 8 accumulators, 1 quad, 1 broadcast; one k block is 16 KB of L1. Of a
// quarter of the weights or less two rows of four, of 128 inputs: 16 KB; where N is known at run time two of six: 24 KB.
// Unstructured rows have eight, of 96 or 128 inputs: 24 or 32 KB.
#include "../simd/vec_avx2.h"
#include "rows.h"

namespace sk {

#define SK_SPMM_AVX2(row, type, n, m) extern const SpmmKernel spmm_##row##_avx2 = spmm_kernel<Avx2, type, n, m, 8>("spmm_" #row "_avx2");
#include "kernels.def"

}  // namespace sk

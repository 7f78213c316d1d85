// int8 and int4 weights with int8 activations. avx2.cc has the rest of this ISA.
#include "../simd/dot_avx2.h"
#include "int8_rows.h"

namespace sk {

#define SK_SPMM_AVX2_INT8(row, type, n, m) \
  extern const SpmmKernel spmm_##row##_avx2 = int8_kernel<Avx2Dot, type, n, m, 8>("spmm_" #row "_avx2");
#include "kernels.def"

}  // namespace sk

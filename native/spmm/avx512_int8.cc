// int8 and int4 weights with int8 activations. avx512.cc has the rest of this ISA.
#include "../simd/dot_avx512.h"
#include "int8_rows.h"

namespace sk {

#define SK_SPMM_AVX512_INT8(row, type, n, m) \
  extern const SpmmKernel spmm_##row##_avx512 = int8_kernel<Avx512Dot, type, n, m, 8>("spmm_" #row "_avx512");
#include "kernels.def"

}  // namespace sk

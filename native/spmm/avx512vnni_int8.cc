// int8 weights with int8 activations. avx512.cc has the rest that such a machine runs.
#include "../simd/dot_avx512vnni.h"
#include "int8_rows.h"

namespace sk {

#define SK_SPMM_AVX512VNNI_INT8(row, type, n, m) \
  extern const SpmmKernel spmm_##row##_avx512vnni = int8_kernel<Avx512VnniDot, type, n, m, 8>("spmm_" #row "_avx512vnni");
#include "kernels.def"

}  // namespace sk

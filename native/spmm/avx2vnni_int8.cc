// int8 weights with int8 activations. avx2.cc has the rest that such a machine runs.
#include "../simd/dot_avx2vnni.h"
#include "int8_rows.h"

namespace sk {

#define SK_SPMM_AVX2VNNI_INT8(row, type, n, m) \
  extern const SpmmKernel spmm_##row##_avx2vnni = int8_kernel<Avx2VnniDot, type, n, m, 8>("spmm_" #row "_avx2vnni");
#include "kernels.def"

}  // namespace sk

// The AVX-512 instantiation on portable vectors, for tests on machines without AVX-512.
#include "../simd/vec_portable.h"
#include "rows.h"

namespace sk {

#define SK_SPMM_SCALAR16(row, type, n, m) \
  extern const SpmmKernel spmm_##row##_scalar16 = spmm_kernel<Portable<16>, type, n, m, 6>("spmm_" #row "_scalar16");
#include "kernels.def"

}  // namespace sk

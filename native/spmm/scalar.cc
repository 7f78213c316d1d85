// Every other machine: 4 lanes of portable vector code.
#include "../simd/vec_portable.h"
#include "rows.h"

namespace sk {

#define SK_SPMM_SCALAR(row, type, n, m) \
  extern const SpmmKernel spmm_##row##_scalar = spmm_kernel<Portable<4>, type, n, m, 4>("spmm_" #row "_scalar");
#include "kernels.def"

}  // namespace sk

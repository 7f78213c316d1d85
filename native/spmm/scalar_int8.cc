// int8 and int4 weights with int8 activations. scalar.cc has the rest of this ISA.
#include "../simd/dot_portable.h"
#include "int8_rows.h"

namespace sk {

#define SK_SPMM_SCALAR_INT8(row, type, n, m) \
  extern const SpmmKernel spmm_##row##_scalar = int8_kernel<PortableDot<4>, type, n, m, 4>("spmm_" #row "_scalar");
#include "kernels.def"

}  // namespace sk

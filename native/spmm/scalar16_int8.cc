// int8 and int4 weights with int8 activations. scalar16.cc has the rest of this ISA.
#include "../simd/dot_portable.h"
#include "int8_rows.h"

namespace sk {

#define SK_SPMM_SCALAR16_INT8(row, type, n, m) \
  extern const SpmmKernel spmm_##row##_scalar16 = int8_kernel<PortableDot<16>, type, n, m, 8>("spmm_" #row "_scalar16");
#include "kernels.def"

}  // namespace sk

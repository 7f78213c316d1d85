// The AVX-512 instantiation on portable vectors, for tests on machines without AVX-512.
#include "../simd/vec_portable.h"
#include "columns.h"

namespace sk {

#define SK_KHOT_SCALAR16(row, type) \
  extern const KHotKernel khot_##row##_scalar16 = khot_kernel<Portable<16>, type>("khot_" #row "_scalar16");
#include "kernels.def"

}  // namespace sk

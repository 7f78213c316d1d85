// The AVX-512 template on portable vectors of 16 lanes, for tests on machines without AVX-512.
#include "../simd/vec_portable.h"
#include "attend_kernel.h"

namespace sk {

#define SK_ATTEND_SCALAR16(row, loops, element, dtype) \
  extern const AttendKernel attend_##row##_scalar16 =  \
      loops<Portable<16>, Element##element<Portable<16>>>::kernel("attend_" #row "_scalar16", dtype);
#include "kernels.def"

}  // namespace sk

// Every other machine: 4 lanes of portable vector code.
#include "../simd/vec_portable.h"
#include "attend_kernel.h"

namespace sk {

#define SK_ATTEND_SCALAR(row, loops, element, dtype) \
  extern const AttendKernel attend_##row##_scalar =  \
      loops<Portable<4>, Element##element<Portable<4>>>::kernel("attend_" #row "_scalar", dtype);
#include "kernels.def"

}  // namespace sk

// Every other machine: 4 lanes of portable vector code.
#include "../simd/vec_portable.h"
#include "attend_kernel.h"

namespace sk {

#define SK_ATTEND_SCALAR(row, element, dtype)                                                                       \
  extern const AttendKernel attend_##row##_scalar = {"attend_" #row "_scalar",                                      \
                                                     dtype,                                                         \
                                                     Portable<4>::kLanes,                                           \
                                                     &Attend<Portable<4>, Element##element<Portable<4>>, 6>::begin, \
                                                     &Attend<Portable<4>, Element##element<Portable<4>>, 6>::chunk, \
                                                     &Attend<Portable<4>, Element##element<Portable<4>>, 6>::finish};
#include "kernels.def"

}  // namespace sk

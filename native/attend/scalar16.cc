// The AVX-512 template on portable vectors of 16 lanes, for tests on machines without AVX-512.
#include "../simd/vec_portable.h"
#include "attend_kernel.h"

namespace sk {

#define SK_ATTEND_SCALAR16(row, element, dtype)                                                                          \
  extern const AttendKernel attend_##row##_scalar16 = {"attend_" #row "_scalar16",                                       \
                                                       dtype,                                                            \
                                                       Portable<16>::kLanes,                                             \
                                                       &Attend<Portable<16>, Element##element<Portable<16>>, 12>::begin, \
                                                       &Attend<Portable<16>, Element##element<Portable<16>>, 12>::chunk, \
                                                       &Attend<Portable<16>, Element##element<Portable<16>>, 12>::finish};
#include "kernels.def"

}  // namespace sk

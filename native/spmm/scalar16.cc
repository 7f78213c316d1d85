// The AVX-512 instantiation on portable vectors, for tests on machines without AVX-512.
#include "../simd/vec_portable.h"
#include "few_tokens.h"
#include "many_tokens.h"

namespace sk {

#define SK_SPMM_SCALAR16(row, n, m)                                                      \
  extern const SpmmKernel spmm_##row##_scalar16 = {"spmm_" #row "_scalar16",             \
                                                   n,                                    \
                                                   m,                                    \
                                                   Portable<16>::kLanes,                 \
                                                   6,                                    \
                                                   4,                                    \
                                                   &pack_panel<Portable<16>>,            \
                                                   &many_vectors<Portable<16>, m, n, 6>, \
                                                   &few_tokens<Portable<16>, m, n, 4>};
#include "kernels.def"

}  // namespace sk

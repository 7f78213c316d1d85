// Every other machine: 4 lanes of portable vector code.
#include "../simd/vec_portable.h"
#include "few_tokens.h"
#include "many_tokens.h"

namespace sk {

#define SK_SPMM_SCALAR(row, n, m)                                                                                                       \
  extern const SpmmKernel spmm_##row##_scalar = {                                                                                       \
      "spmm_" #row "_scalar",           n, m, Portable<4>::kLanes, 8, 4, &pack_panel<Portable<4>>, &many_vectors<Portable<4>, m, n, 8>, \
      &few_tokens<Portable<4>, m, n, 4>};
#include "kernels.def"

}  // namespace sk

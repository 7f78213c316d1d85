// Every other machine: 4 lanes of portable vector code.
#include "../simd/vec_portable.h"
#include "dots.h"

namespace sk {

#define SK_SDDMM_SCALAR(row) \
  extern const SddmmKernel sddmm_##row##_scalar = {"sddmm_" #row "_scalar", Portable<4>::kLanes, &dots<Portable<4>>};
#include "kernels.def"

}  // namespace sk

// The 16-lane template without AVX-512, for tests.
#include "../simd/vec_portable.h"
#include "dots.h"

namespace sk {

#define SK_SDDMM_SCALAR16(row) \
  extern const SddmmKernel sddmm_##row##_scalar16 = {"sddmm_" #row "_scalar16", Portable<16>::kLanes, &dots<Portable<16>>};
#include "kernels.def"

}  // namespace sk

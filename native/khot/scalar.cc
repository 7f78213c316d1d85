// Portable code: 4 lanes, which the compiler maps to what the target has.
#include "../simd/vec_portable.h"
#include "columns.h"

namespace sk {

#define SK_KHOT_SCALAR(row, type) extern const KHotKernel khot_##row##_scalar = khot_kernel<Portable<4>, type>("khot_" #row "_scalar");
#include "kernels.def"

}  // namespace sk

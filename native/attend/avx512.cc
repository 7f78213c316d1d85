// AVX-512: 32 registers of 16 lanes. Groups of 12 keys or dims for panels of 32 rows: 24 accumulators, 2 of the panel, 1 broadcast.
#include "../simd/vec_avx512.h"
#include "attend_kernel.h"

namespace sk {

#define SK_ATTEND_AVX512(row, loops, element, dtype) \
  extern const AttendKernel attend_##row##_avx512 = loops<Avx512, Element##element<Avx512>>::kernel("attend_" #row "_avx512", dtype);
#include "kernels.def"

}  // namespace sk

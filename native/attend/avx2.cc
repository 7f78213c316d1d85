// AVX2 + FMA: 16 registers of 8 lanes. Groups of 6 keys or dims for panels of 16 rows: 12 accumulators, 2 of the panel, 1 broadcast.
#include "../simd/vec_avx2.h"
#include "attend_kernel.h"

namespace sk {

#define SK_ATTEND_AVX2(row, loops, element, dtype) \
  extern const AttendKernel attend_##row##_avx2 = loops<Avx2, Element##element<Avx2>>::kernel("attend_" #row "_avx2", dtype);
#include "kernels.def"

}  // namespace sk

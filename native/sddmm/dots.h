// The loop nest of sddmm: L sums at a time, tokens in lanes.
//
//   load   a vector of a                                      serves L products
//   fma    acc[j] += a * b[indices[j]]                        L chains, more than the latency of the FMA needs
//   store  sums += the sums over the lanes of acc[j]
//
// Floor: one FMA per kept place and token vector; each loads its own vector of b, so at two loads a cycle L / (L + 1) of the FMA peak.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

template <class V>
static void dots(const float* a, const float* b, const int32_t* indices, int64_t count, float* sums) {
  using F32 = typename V::F32;
  constexpr int kLanes = V::kLanes;
  for (int64_t i = 0; i < count; i += kLanes) {
    const float* row[kLanes];
    F32 acc[kLanes];
#pragma GCC unroll 16
    for (int j = 0; j < kLanes; ++j) row[j] = b + static_cast<int64_t>(indices[i + j]) * kSddmmTokens, acc[j] = V::zero();
    for (int t = 0; t < kSddmmTokens; t += kLanes) {
      const F32 at = V::load(a + t);
#pragma GCC unroll 16
      for (int j = 0; j < kLanes; ++j) acc[j] = V::fma(at, V::load(row[j] + t), acc[j]);
    }
    V::storeu(sums + i, V::loadu(sums + i) + V::sums(acc));
  }
}

}  // namespace
}  // namespace sk

// The loop nest: twelve accumulators of six inputs and two vectors of outputs stay in registers while the pairs of a block pass.
//
// Floor: one FMA per pair, input and vector of outputs; six broadcasts and two loads feed twelve of them.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

constexpr int kTileInputs = 6;

template <class V>
static void outer(const MapouterBlock& b) {
  using F32 = typename V::F32;
  constexpr int64_t kPanel = 2 * V::kLanes;
  for (int64_t o = 0; o < b.out; o += kPanel)
    for (int64_t i = 0; i < b.in; i += kTileInputs) {
      float* acc = b.acc + i * b.out + o;
      F32 sum[kTileInputs][2];
#pragma GCC unroll 6
      for (int r = 0; r < kTileInputs; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) sum[r][v] = V::load(acc + r * b.out + v * V::kLanes);
      const float *x = b.x + i, *dy = b.dy + o;
      for (int64_t p = 0; p < b.pairs; ++p, x += b.in, dy += b.out) {
        const F32 low = V::load(dy), high = V::load(dy + V::kLanes);
#pragma GCC unroll 6
        for (int r = 0; r < kTileInputs; ++r) {
          const F32 a = V::set1(x[r]);
          sum[r][0] = V::fma(a, low, sum[r][0]);
          sum[r][1] = V::fma(a, high, sum[r][1]);
        }
      }
#pragma GCC unroll 6
      for (int r = 0; r < kTileInputs; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) V::store(acc + r * b.out + v * V::kLanes, sum[r][v]);
    }
}

}  // namespace
}  // namespace sk

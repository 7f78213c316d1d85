// One weight per group and channel on windows of tiles.
//
//   gather  windows of some tiles: as many as fit L1 or, at least one
//   fma     four neighbouring outputs, two vectors of channels: eight sums that stay in registers over all groups
//   store   through the activation to y
//
// Floor: nearly one load per FMA (the window) where pairs (depthwise.h) need two and a store: the load ports decide.
#pragma once

#include "windows.h"

namespace sk {
namespace {

template <class V>
struct DepthwiseTiles {
  using F32 = typename V::F32;

  template <int kVectors>
  static inline void quad(const MapmmTiles& b, int64_t o, int64_t c, int64_t pitch) {
    const float* x = b.inputs[o] + c;
    const int64_t step = b.tiles->stride[1] * pitch;
    F32 sum[kQuad][kVectors];
#pragma GCC unroll 4
    for (int r = 0; r < kQuad; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sum[r][v] = V::loadu(b.bias + c + v * V::kLanes);
    const float* weight = b.weight + c;
    for (int64_t g = 0; g < b.groups; ++g, weight += b.out_padded) {
      const float* at = x + b.deltas[g];
      F32 w[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) w[v] = V::loadu(weight + v * V::kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kQuad; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sum[r][v] = V::fma(w[v], V::loadu(at + r * step + v * V::kLanes), sum[r][v]);
    }
    float* y = b.outputs[o] + c;
#pragma GCC unroll 4
    for (int r = 0; r < kQuad; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) store_outputs<V>(b, y + r * b.out + v * V::kLanes, sum[r][v], b.out - c - v * V::kLanes);
  }

  static void run(const MapmmTiles& b) {
    const int64_t pitch = b.out_padded, outputs = b.count * b.tiles->height * b.tiles->width;
    gather<V>(b, pitch);
    locate(b, pitch);
    int64_t c = 0;
    for (; c + 2 * V::kLanes <= pitch; c += 2 * V::kLanes)
      for (int64_t o = 0; o < outputs; o += kQuad) quad<2>(b, o, c, pitch);
    if (c < pitch)
      for (int64_t o = 0; o < outputs; o += kQuad) quad<1>(b, o, c, pitch);
  }
};

}  // namespace
}  // namespace sk

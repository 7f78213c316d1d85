// Dense weights on windows of tiles.
//
//   gather  windows of some tiles: as many as half of L2 holds
//   load    six outputs' sums, two vectors wide: twelve accumulators           per panel and block of groups
//   fma     for every group of the block: broadcast x[output + delta of the group][k] * weight[group][k][panel]
//   store   the sums; after the last block through the activation to y
//
// Sums are loaded and stored once per block of groups instead of once per group, so that few input channels still fill the registers; in
// return absent inputs are multiplied as zeros. An output is summed in the same order as over pairs (dense.h).
//
// Floor: one FMA per output, group, input channel and vector of output channels.
#pragma once

#include "windows.h"

namespace sk {
namespace {

template <class V>
struct DenseTiles {
  using F32 = typename V::F32;
  static constexpr int kRows = 6;
  static constexpr int64_t kPanel = 2 * V::kLanes;
  static constexpr int64_t kWeightFloats = 4096;  // of one block of groups of a panel: half of L1

  // A block of groups or of input channels of one group.
  struct Part {
    int64_t groups, in;
    const int64_t* deltas;
    const float* weight;
    int64_t weight_step;  // from group to group
  };

  template <int kCount, int kVectors>
  static inline void multiply(const float* const* x, const Part& p, float* acc) {
    F32 sum[kCount][kVectors];
#pragma GCC unroll 6
    for (int r = 0; r < kCount; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sum[r][v] = V::load(acc + r * kPanel + v * V::kLanes);
    for (int64_t g = 0; g < p.groups; ++g) {
      const float* weight = p.weight + g * p.weight_step;
      const int64_t first = p.deltas[g], end = first + p.in;
#pragma GCC unroll 2
      for (int64_t k = first; k < end; ++k, weight += kVectors * V::kLanes) {
        F32 w[kVectors];
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) w[v] = V::load(weight + v * V::kLanes);
#pragma GCC unroll 6
        for (int r = 0; r < kCount; ++r) {
          const F32 a = V::set1(x[r][k]);
#pragma GCC unroll 2
          for (int v = 0; v < kVectors; ++v) sum[r][v] = V::fma(a, w[v], sum[r][v]);
        }
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < kCount; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) V::store(acc + r * kPanel + v * V::kLanes, sum[r][v]);
  }

  template <int kCount>
  static inline void rows(const MapmmTiles& b, const Part& p, int64_t k, int64_t o, bool wide) {
    const float* x[kCount];
#pragma GCC unroll 6
    for (int r = 0; r < kCount; ++r) x[r] = b.inputs[o + r] + k;
    if (wide)
      multiply<kCount, 2>(x, p, b.acc + o * kPanel);
    else
      multiply<kCount, 1>(x, p, b.acc + o * kPanel);
  }

  static void run(const MapmmTiles& b) {
    const int64_t outputs = b.count * b.tiles->height * b.tiles->width;
    const int64_t most_inputs = kWeightFloats / kPanel, k_blocks = (b.in + most_inputs - 1) / most_inputs;
    const int64_t k_block = (b.in + k_blocks - 1) / k_blocks;
    const int64_t most_groups = k_blocks > 1 ? 1 : most_inputs / b.in, g_blocks = (b.groups + most_groups - 1) / most_groups;
    const int64_t g_block = (b.groups + g_blocks - 1) / g_blocks;
    gather<V>(b, b.x_channels);
    locate(b, b.x_channels);
    for (int64_t c = 0; c < b.out_padded; c += kPanel) {
      const bool wide = b.out_padded - c >= kPanel;
      const int64_t width = wide ? kPanel : V::kLanes;
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t v = 0; v < width; v += V::kLanes) V::store(b.acc + o * kPanel + v, V::loadu(b.bias + c + v));
      for (int64_t g = 0; g < b.groups; g += g_block)
        for (int64_t k = 0; k < b.in; k += k_block) {
          const Part p = {b.groups - g < g_block ? b.groups - g : g_block, b.in - k < k_block ? b.in - k : k_block, b.deltas + g,
                          b.weight + (g * b.out_padded + c) * b.in + k * width, b.out_padded * b.in};
          int64_t o = 0;
          for (; o + kRows <= outputs; o += kRows) rows<kRows>(b, p, k, o, wide);
          for (; o < outputs; o += 2) rows<2>(b, p, k, o, wide);  // tiles have an even number of outputs
        }
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t v = 0; v < width && c + v < b.out; v += V::kLanes)
          store_outputs<V>(b, b.outputs[o] + c + v, V::load(b.acc + o * kPanel + v), b.out - c - v);
    }
  }
};

}  // namespace
}  // namespace sk

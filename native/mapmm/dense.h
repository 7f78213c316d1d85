// Dense weights per group: the micro-kernel of a matrix product on gathered rows.
//
//   start   acc [rows][outs] = bias
//   load    six pairs' rows of acc, two vectors wide: twelve accumulators     per group, k block and panel
//   fma     broadcast x[in row][k] * weight[k][panel]
//   store   the accumulators back to acc
//   finish  act(acc) -> y
//
// Pairs are gathered by pointer: absent neighbours cost nothing, rows are not copied, and no two pairs of a group share an output row.
// Every output sums over its groups and inputs in ascending order, one multiply-add after another, whatever the blocks.
//
// Floor: one FMA per pair, input channel and vector of output channels. Six broadcasts and two loads feed twelve FMAs, so the FMA units
// decide; loading and storing the accumulators adds 2 / in of that.
#pragma once

#include "tile.h"

namespace sk {
namespace {

constexpr int kTileRows = 6;
constexpr int kPanelVectors = 2;
constexpr int64_t kWeightFloats = 4096;  // of one k block of the panels of a strip: half of L1

template <class V, int kRows, int kVectors>
static inline void multiply(const float* const* x, const float* weight, int64_t in, float* const* acc) {
  using F32 = typename V::F32;
  F32 sum[kRows][kVectors];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sum[r][v] = V::load(acc[r] + v * V::kLanes);
#pragma GCC unroll 2
  for (int64_t k = 0; k < in; ++k) {
    F32 w[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) w[v] = V::load(weight + (k * kVectors + v) * V::kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const F32 a = V::set1(x[r][k]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sum[r][v] = V::fma(a, w[v], sum[r][v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) V::store(acc[r] + v * V::kLanes, sum[r][v]);
}

// One group, one k block and a few panels of it, for the pairs [first, end).
template <class V>
struct Dense {
  static constexpr int64_t kPanel = kPanelVectors * V::kLanes;

  struct Strip {
    const MapmmBlock& b;
    int64_t x_column, acc_column;  // of the first input and output channel
    const float* weight;           // of the first panel and input
    int64_t weight_step;           // from panel to panel
    int64_t in, outs;              // of the strip
  };

  template <int kRows>
  static inline void tile(const Strip& s, int64_t pair) {
    const float* x[kRows];
    float* acc[kRows];
    const int64_t width = s.b.splits * s.b.outs;
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      x[r] = s.b.x + s.b.in_row[pair + r] * s.b.x_channels + s.x_column;
      acc[r] = s.b.acc + (s.b.out_row[pair + r] - s.b.first_row) * width + s.acc_column;
    }
    const float* weight = s.weight;
    int64_t o = 0;
    for (; o + kPanel <= s.outs; o += kPanel, weight += s.weight_step) {
      multiply<V, kRows, 2>(x, weight, s.in, acc);
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) acc[r] += kPanel;
    }
    if (o < s.outs) multiply<V, kRows, 1>(x, weight, s.in, acc);
  }

  static void strip(const Strip& s, int64_t first, int64_t end) {
    for (; first + kTileRows <= end; first += kTileRows) tile<kTileRows>(s, first);
    switch (end - first) {
      case 1: return tile<1>(s, first);
      case 2: return tile<2>(s, first);
      case 3: return tile<3>(s, first);
      case 4: return tile<4>(s, first);
      case 5: return tile<5>(s, first);
    }
  }

  static void run(const MapmmBlock& b) {
    const int64_t most_inputs = kWeightFloats / kPanel, k_blocks = (b.in + most_inputs - 1) / most_inputs;
    const int64_t k_block = (b.in + k_blocks - 1) / k_blocks;
    const int64_t strip_outs = k_blocks > 1 ? kPanel : most_inputs / b.in * kPanel;
    start<V>(b);
    for (int64_t s = 0; s < b.splits; ++s) {
      const float* split = b.weight + (b.first_split + s) * b.groups * b.in * b.out_padded;
      for (int64_t g = 0; g < b.groups; ++g) {
        if (b.begin[g] == b.end[g]) continue;
        const float* group = split + (g * b.out_padded + b.first_out) * b.in;
        for (int64_t k = 0; k < b.in; k += k_block)
          for (int64_t o = 0; o < b.outs; o += strip_outs) {
            const int64_t outs = b.outs - o < strip_outs ? b.outs - o : strip_outs;
            // Every panel of the strip but the last has full width, so they lie kPanel * in apart; the last may be narrower.
            const int64_t panel_width = outs < kPanel ? V::kLanes : kPanel;
            strip({b, (b.first_split + s) * b.in + k, s * b.outs + o, group + o * b.in + k * panel_width, kPanel * b.in,
                   b.in - k < k_block ? b.in - k : k_block, outs},
                  b.begin[g], b.end[g]);
          }
      }
    }
    finish<V>(b);
  }
};

}  // namespace
}  // namespace sk

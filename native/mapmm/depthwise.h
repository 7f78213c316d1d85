// One weight per group and channel (depthwise convolution).
//
//   start   acc [rows][channels] = bias
//   load    the weights of a group for four vectors of channels: they stay in registers for all pairs
//   fma     acc += weight * x, a pair's row after another
//   finish  act(acc) -> y
//
// Floor: two loads and a store per FMA, all from L1 or L2: the load ports decide.
#pragma once

#include "tile.h"

namespace sk {
namespace {

template <class V>
struct Depthwise {
  template <int kVectors>
  static inline void vectors(const MapmmBlock& b, const float* weight, int64_t g, int64_t c) {
    typename V::F32 w[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) w[v] = V::loadu(weight + v * V::kLanes);
    for (int64_t p = b.begin[g]; p < b.end[g]; ++p) {
      const float* x = b.x + b.in_row[p] * b.x_channels + b.first_out + c;
      float* acc = b.acc + (b.out_row[p] - b.first_row) * b.outs + c;
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        V::store(acc + v * V::kLanes, V::fma(w[v], V::loadu(x + v * V::kLanes), V::load(acc + v * V::kLanes)));
    }
  }

  static void run(const MapmmBlock& b) {
    start<V>(b);
    const int64_t channels = b.out - b.first_out < b.outs ? b.out - b.first_out : b.outs;  // without padding
    for (int64_t g = 0; g < b.groups; ++g) {
      const float* weight = b.weight + g * b.out_padded + b.first_out;
      int64_t c = 0;
      for (; c + 4 * V::kLanes <= channels; c += 4 * V::kLanes) vectors<4>(b, weight + c, g, c);
      for (; c + V::kLanes <= channels; c += V::kLanes) vectors<1>(b, weight + c, g, c);
      if (c == channels) continue;
      for (int64_t p = b.begin[g]; p < b.end[g]; ++p) {  // a vector would read past the last row of x
        const float* x = b.x + b.in_row[p] * b.x_channels + b.first_out;
        float* acc = b.acc + (b.out_row[p] - b.first_row) * b.outs;
        for (int64_t i = c; i < channels; ++i) acc[i] += weight[i] * x[i];
      }
    }
    finish<V>(b);
  }
};

}  // namespace
}  // namespace sk

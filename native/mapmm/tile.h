// What both loop nests share: the accumulators of a block begin with the bias and leave through the activation, once.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

template <class V>
static void start(const MapmmBlock& b) {
  const int64_t width = b.splits * b.outs;
  for (int64_t s = 0; s < b.splits; ++s) {
    const float* bias = b.bias + (b.first_split + s) * b.out_padded + b.first_out;
    for (int64_t r = 0; r < b.rows; ++r)
      for (int64_t c = 0; c < b.outs; c += V::kLanes) V::store(b.acc + r * width + s * b.outs + c, V::loadu(bias + c));
  }
}

template <class V>
static void finish(const MapmmBlock& b) {
  const int64_t width = b.splits * b.outs;
  const bool relu = b.activation == MapActivation::kRelu;
  for (int64_t s = 0; s < b.splits; ++s) {
    const int64_t outs = b.out - b.first_out < b.outs ? b.out - b.first_out : b.outs;  // without padding
    float* y = b.y + b.first_row * b.y_channels + (b.first_split + s) * b.out + b.first_out;
    for (int64_t r = 0; r < b.rows; ++r, y += b.y_channels) {
      const float* acc = b.acc + r * width + s * b.outs;
      int64_t c = 0;
      for (; c + V::kLanes <= outs; c += V::kLanes) V::storeu(y + c, relu ? V::relu(V::load(acc + c)) : V::load(acc + c));
      if (c == outs) continue;
      alignas(64) float edge[V::kLanes];
      V::store(edge, relu ? V::relu(V::load(acc + c)) : V::load(acc + c));
      for (int64_t i = 0; c + i < outs; ++i) y[c + i] = edge[i];
    }
  }
}

}  // namespace
}  // namespace sk

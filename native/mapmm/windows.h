// What both loop nests of tiles share: tiles are copied with their halo into windows that look like small dense images (SBNet's gather), so
// that each output finds its inputs at the same distances, and the sums leave to the rows of the tile's lines.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

// Outputs of one tile that lie beside each other: a whole number of quadruples.
constexpr int kQuad = 4;

// windows [count][sites][pitch], absent inputs 0.
template <class V>
static void gather(const MapmmTiles& b, int64_t pitch) {
  const TilesView& t = *b.tiles;
  const int32_t* in = t.in + b.first * t.window_height * t.segments;
  float* to = b.windows;
  for (int64_t line = 0; line < b.count * t.window_height; ++line, in += t.segments)
    for (int64_t s = 0; s < t.segments; ++s) {
      const float* from = in[s] < 0 ? nullptr : b.x + in[s] * b.x_channels;
      for (int64_t i = t.columns[s]; i < t.columns[s + 1]; ++i, to += pitch) {
        int64_t c = 0;
        for (; c + V::kLanes <= b.x_channels; c += V::kLanes) V::storeu(to + c, from ? V::loadu(from + c) : V::zero());
        for (; c < b.x_channels; ++c) to[c] = from ? from[c] : 0;
        for (; c < pitch; ++c) to[c] = 0;
        if (from) from += b.x_channels;
      }
    }
}

// inputs and outputs of every output of the block, and what a group adds to the former.
static inline void locate(const MapmmTiles& b, int64_t pitch) {
  const TilesView& t = *b.tiles;
  for (int64_t g = 0; g < b.groups; ++g) b.deltas[g] = t.places[g] * pitch;
  const int32_t* out = t.out + b.first * t.height;
  int64_t o = 0;
  for (int64_t tile = 0; tile < b.count; ++tile)
    for (int64_t line = 0; line < t.height; ++line, ++out)
      for (int64_t column = 0; column < t.width; ++column, ++o) {
        b.inputs[o] = b.windows + ((tile * t.window_height + line * t.stride[0]) * t.window_width + column * t.stride[1]) * pitch;
        b.outputs[o] = b.y + (*out + column) * b.out;
      }
}

// The first `count` of L channels, through the activation.
template <class V>
static inline void store_outputs(const MapmmTiles& b, float* y, typename V::F32 sum, int64_t count) {
  const auto a = b.activation == MapActivation::kRelu ? V::relu(sum) : sum;
  if (count >= V::kLanes) return V::storeu(y, a);
  alignas(64) float edge[V::kLanes];
  V::store(edge, a);
  for (int64_t i = 0; i < count; ++i) y[i] = edge[i];
}

}  // namespace
}  // namespace sk

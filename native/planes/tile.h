// The loop nest: a vector holds pixels of one input channel; each kept weight is broadcast and multiplies the pixels that its index names.
//
//   load    the sums of a block of rows: the bias, or what y holds from the k blocks before
//   expand  quad of weights -> broadcasts, index -> channel
//   fma     sum += w * x[channel][pixels]; a block of several rows loads the pixels once
//   store   y, after the last k block through the activation
//
// Floor: one FMA per kept weight and vector of pixels. A block of one row loads its pixels for every FMA, so at two loads a cycle there is
// no slot for broadcast loads (hence quads), and it keeps two sets of sums, of even and of odd inputs, as the FMA's latency wants eight
// chains.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

template <class V, int kBlock, int kVectors>
struct PlanesLoop {
  using F32 = typename V::F32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kSets = kBlock == 1 ? 2 : 1;
  static constexpr int kRows = kSets * kBlock;

  // Input kJ of a quad, which holds 4 / kBlock of them.
  template <int kJ>
  static inline void step(F32 (&sum)[kRows][kVectors], const typename V::Quad& quad, const float* x) {
    if constexpr (kBlock == 1) {
#pragma GCC unroll 5
      for (int v = 0; v < kVectors; ++v) sum[kJ % 2][v] = V::fma(V::template splat<kJ>(quad), V::loadu(x + v * kLanes), sum[kJ % 2][v]);
    } else if constexpr (kBlock == 2) {
      const F32 a = V::template splat<2 * kJ>(quad), b = V::template splat<2 * kJ + 1>(quad);
#pragma GCC unroll 5
      for (int v = 0; v < kVectors; ++v) {
        const F32 pixels = V::loadu(x + v * kLanes);
        sum[0][v] = V::fma(a, pixels, sum[0][v]);
        sum[1][v] = V::fma(b, pixels, sum[1][v]);
      }
    } else {
      F32 pixels[kVectors];
#pragma GCC unroll 5
      for (int v = 0; v < kVectors; ++v) pixels[v] = V::loadu(x + v * kLanes);
      fma_row<0>(sum, quad, pixels);
      fma_row<1>(sum, quad, pixels);
      fma_row<2>(sum, quad, pixels);
      fma_row<3>(sum, quad, pixels);
    }
  }
  template <int kR>
  static inline void fma_row(F32 (&sum)[kRows][kVectors], const typename V::Quad& quad, const F32 (&pixels)[kVectors]) {
    const F32 w = V::template splat<kR>(quad);
#pragma GCC unroll 5
    for (int v = 0; v < kVectors; ++v) sum[kR][v] = V::fma(w, pixels[v], sum[kR][v]);
  }

  static inline F32 activate(F32 a, PlanesActivation activation) {
    if (activation == PlanesActivation::kNone) return a;
    a = V::relu(a);
    return activation == PlanesActivation::kRelu ? a : V::zero() - V::max(V::set1(-6.0F), V::zero() - a);  // NaN stays NaN
  }

  // One block of rows; `valid` of them are outputs.
  static inline void block(const PlanesTile& t, const float* x, float* y, const float* bias, int valid, const float* values,
                           const uint8_t* indices, int count) {
    F32 sum[kRows][kVectors];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 5
      for (int v = 0; v < kVectors; ++v)
        sum[r][v] = r >= valid ? V::zero() : t.first ? V::set1(bias[r]) : V::loadu(y + r * t.y_step + v * kLanes);
    const auto channel = [&](int i) { return x + indices[i] * t.x_step; };
    int i = 0;
    if constexpr (kBlock == 1) {
      for (; i + 4 <= count; i += 4) {
        const typename V::Quad quad = V::load_quad(values + i);
        step<0>(sum, quad, channel(i));
        step<1>(sum, quad, channel(i + 1));
        step<2>(sum, quad, channel(i + 2));
        step<3>(sum, quad, channel(i + 3));
      }
      for (; i < count; ++i) {
        const F32 w = V::set1(values[i]);
        const float* pixels = channel(i);
        if (i % 2 == 0) {
#pragma GCC unroll 5
          for (int v = 0; v < kVectors; ++v) sum[0][v] = V::fma(w, V::loadu(pixels + v * kLanes), sum[0][v]);
        } else {
#pragma GCC unroll 5
          for (int v = 0; v < kVectors; ++v) sum[1][v] = V::fma(w, V::loadu(pixels + v * kLanes), sum[1][v]);
        }
      }
#pragma GCC unroll 5
      for (int v = 0; v < kVectors; ++v) sum[0][v] = sum[0][v] + sum[1][v];
    } else if constexpr (kBlock == 2) {
      for (; i + 2 <= count; i += 2) {
        const typename V::Quad quad = V::load_quad(values + 2 * i);
        step<0>(sum, quad, channel(i));
        step<1>(sum, quad, channel(i + 1));
      }
      if (i < count) {
        const F32 a = V::set1(values[2 * i]), b = V::set1(values[2 * i + 1]);
        const float* pixels = channel(i);
#pragma GCC unroll 5
        for (int v = 0; v < kVectors; ++v) {
          sum[0][v] = V::fma(a, V::loadu(pixels + v * kLanes), sum[0][v]);
          sum[1][v] = V::fma(b, V::loadu(pixels + v * kLanes), sum[1][v]);
        }
      }
    } else {
      for (; i < count; ++i) step<0>(sum, V::load_quad(values + 4 * i), channel(i));
    }
#pragma GCC unroll 4
    for (int r = 0; r < kBlock; ++r) {
      if (r >= valid) break;
#pragma GCC unroll 5
      for (int v = 0; v < kVectors; ++v) V::storeu(y + r * t.y_step + v * kLanes, t.last ? activate(sum[r][v], t.activation) : sum[r][v]);
    }
  }
};

// kVectors vectors of pixels: blocks of four rows have registers for the sums of two at a time.
template <class V, int kBlock, int kVectors>
static inline void planes_block(const PlanesTile& t, const float* x, float* y, const float* bias, int valid, const float* values,
                                const uint8_t* indices, int count) {
  constexpr int kHead = kBlock == 4 && kVectors > 2 ? 2 : kVectors;
  PlanesLoop<V, kBlock, kHead>::block(t, x, y, bias, valid, values, indices, count);
  if constexpr (kHead < kVectors)
    planes_block<V, kBlock, kVectors - kHead>(t, x + kHead * V::kLanes, y + kHead * V::kLanes, bias, valid, values, indices, count);
}

template <class V, int kBlock, int kVectors>
static void planes_strip(const PlanesTile& t) {
  const PackedPlanes& s = *t.weight;
  const int64_t k_blocks = (s.in + s.k_block - 1) / s.k_block;
  const PlanesCell* cell = s.cells + t.row_block * k_blocks + t.k_block;
  const float* values = s.values + cell->values * kBlock;
  const uint8_t* indices = s.indices + cell->values;
  for (int64_t r = cell->rows; r < cell[1].rows; ++r) {
    const int64_t row = s.rows[r] * kBlock, output = t.row_block * s.row_block + row;
    const int valid = s.out - output < kBlock ? static_cast<int>(s.out - output) : kBlock, count = s.counts[r];
    planes_block<V, kBlock, kVectors>(t, t.x, t.y + row * t.y_step, s.bias + output, valid, values, indices, count);
    values += count * kBlock;
    indices += count;
  }
}

template <class V, int kBlock>
static void planes(const PlanesTile& tile, int vectors) {
  switch (vectors) {
    case 1: return planes_strip<V, kBlock, 1>(tile);
    case 2: return planes_strip<V, kBlock, 2>(tile);
    case 4: return planes_strip<V, kBlock, 4>(tile);
    default: return planes_strip<V, kBlock, 5>(tile);
  }
}

}  // namespace
}  // namespace sk

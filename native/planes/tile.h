// The loop nest: a vector holds pixels of one input channel; each kept weight is broadcast and multiplies the pixels that its index names.
//
//   pack    the pixels of the k block, dense in L1: their lines lie a plane apart
//   start   the sums of a block of rows: the bias, or those of the k blocks before
//   fma     sum += w * x[channel][pixels]; a block of several rows loads the pixels once
//   finish  sums kept for the next k block, or through the activation to y
//
// Floor: one FMA per kept weight and vector of pixels, and one load of the pixels for every FMA of a block of one row. All else must be few
// instructions beside it: hence strips as wide as the registers allow, whose sums need no second set to hide the latency of the FMA.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

template <class V, int kBlock, int kVectors, int kStrip>
struct PlanesLoop {
  using F32 = typename V::F32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int64_t kStep = kStrip * kLanes;  // from input to input of the panel

  static inline F32 activate(F32 a, PlanesActivation activation) {
    if (activation == PlanesActivation::kNone) return a;
    a = V::relu(a);
    return activation == PlanesActivation::kRelu ? a : V::zero() - V::max(V::set1(-6.0F), V::zero() - a);  // NaN stays NaN
  }

  static inline void step(F32 (&sum)[kBlock][kVectors], const float* weights, const float* x) {
    F32 w[kBlock];
#pragma GCC unroll 4
    for (int r = 0; r < kBlock; ++r) w[r] = V::set1(weights[r]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const F32 pixels = V::loadu(x + v * kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kBlock; ++r) sum[r][v] = V::fma(w[r], pixels, sum[r][v]);
    }
  }

  // One block of rows, of which `valid` are outputs, at vector `at` of the strip.
  static inline void block(const PlanesTile& t, int at, int64_t row, int valid, const float* values, const uint8_t* indices, int count) {
    const int64_t pixel = at * kLanes;
    const float* x = t.panel + pixel;
    float* sums = t.sums + row * t.sums_step + pixel;
    F32 sum[kBlock][kVectors];
#pragma GCC unroll 4
    for (int r = 0; r < kBlock; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        sum[r][v] = r >= valid ? V::zero() : t.first ? V::set1(t.bias[row + r]) : V::load(sums + r * t.sums_step + v * kLanes);
    const float* const end = values + count * kBlock;
    for (; values + 4 * kBlock <= end; values += 4 * kBlock, indices += 4) {
      step(sum, values, x + indices[0] * kStep);
      step(sum, values + kBlock, x + indices[1] * kStep);
      step(sum, values + 2 * kBlock, x + indices[2] * kStep);
      step(sum, values + 3 * kBlock, x + indices[3] * kStep);
    }
    for (; values < end; values += kBlock, ++indices) step(sum, values, x + indices[0] * kStep);
    float* y = t.y + row * t.y_step + pixel;
#pragma GCC unroll 4
    for (int r = 0; r < kBlock; ++r) {
      if (r >= valid) break;
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        if (t.last)
          V::storeu(y + r * t.y_step + v * kLanes, activate(sum[r][v], t.activation));
        else
          V::store(sums + r * t.sums_step + v * kLanes, sum[r][v]);
    }
  }
};

// Registers for sums: so many vectors of a block of rows at a time, and one strip.
constexpr int most_vectors(int block) { return block == 4 ? 2 : block == 2 ? 6 : 8; }
constexpr int widest_strip(int block) { return block == 2 ? 6 : 8; }

// The vectors of a strip from kAt on.
template <class V, int kBlock, int kStrip, int kAt = 0>
static inline void planes_block(const PlanesTile& t, int64_t row, int valid, const float* values, const uint8_t* indices, int count) {
  constexpr int kLeft = kStrip - kAt, kVectors = kLeft < most_vectors(kBlock) ? kLeft : most_vectors(kBlock);
  PlanesLoop<V, kBlock, kVectors, kStrip>::block(t, kAt, row, valid, values, indices, count);
  if constexpr (kVectors < kLeft) planes_block<V, kBlock, kStrip, kAt + kVectors>(t, row, valid, values, indices, count);
}

template <class V, int kBlock, int kVectors>
static void planes_strip(const PlanesTile& tile) {
  const PlanesTile t = tile;  // a local copy stays in registers
  const PackedPlanes& s = *t.weight;
  const int64_t k_blocks = (s.in + s.k_block - 1) / s.k_block;
  const int64_t first = t.k_block * s.k_block, inputs = s.in - first < s.k_block ? s.in - first : s.k_block;
  for (int64_t i = 0; t.packs && i < inputs; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) V::store(t.panel + (i * kVectors + v) * V::kLanes, V::loadu(t.x + i * t.x_step + v * V::kLanes));
  const PlanesCell* cell = s.cells + t.row_block * k_blocks + t.k_block;
  const float* values = s.values + cell->values * kBlock;
  const uint8_t* indices = s.indices + cell->values;
  const uint16_t *rows = s.rows, *counts = s.counts;
  for (int64_t r = cell->rows, end = cell[1].rows; r < end; ++r) {
    const int64_t row = rows[r] * kBlock, output = t.row_block * s.row_block + row;
    const int valid = kBlock == 1 || s.out - output >= kBlock ? kBlock : static_cast<int>(s.out - output), count = counts[r];
    planes_block<V, kBlock, kVectors>(t, row, valid, values, indices, count);
    values += count * kBlock;
    indices += count;
  }
}

template <class V, int kBlock>
static void planes(const PlanesTile& tile, int vectors) {
  switch (vectors) {
    case 1: return planes_strip<V, kBlock, 1>(tile);
    case 2: return planes_strip<V, kBlock, 2>(tile);
    case 3: return planes_strip<V, kBlock, 3>(tile);
    case 4: return planes_strip<V, kBlock, 4>(tile);
    case 5: return planes_strip<V, kBlock, 5>(tile);
    case 6: return planes_strip<V, kBlock, 6>(tile);
  }
  if constexpr (widest_strip(kBlock) > 6) return vectors == 7 ? planes_strip<V, kBlock, 7>(tile) : planes_strip<V, kBlock, 8>(tile);
}

// The row of kernels.def: everything but its name.
template <class V, int kBlock>
constexpr PlanesKernel planes_kernel(const char* name) {
  return {name, kBlock, V::kLanes, widest_strip(kBlock), &planes<V, kBlock>};
}

}  // namespace
}  // namespace sk

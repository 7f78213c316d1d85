// After the loop nests: the sums become outputs, y = act(scale * sum + bias) * up + residual, in the element type of y: blocks of at most L
// tokens by L outputs, which stay in L1.
#pragma once

#include "activate.h"
#include "element.h"
#include "tile.h"

namespace sk {
namespace {

// The sums of a row group, or of one of the gate and the one of the weight behind it: [token][L] each, changed in place.
template <class V, class Y>
static void finish_block(const SpmmTile& t, const SpmmEpilogue& e, int64_t row, float* sums, float* up, int64_t first, int64_t tokens) {
  constexpr int kLanes = V::kLanes;
  const auto apply = [&](float* block, int64_t at, Activation activation) {
    activate<V>(block, tokens, e.scale ? V::load(e.scale + at) : V::set1(1), V::load(e.bias + at), activation);
  };
  apply(sums, row, e.activation);
  if (up) {
    apply(up, row + kLanes, Activation::kNone);
    for (int64_t i = 0; i < tokens * kLanes; i += kLanes) V::store(sums + i, V::load(sums + i) * V::load(up + i));
  }
  const int64_t out = t.weight->out, column = up ? row / 2 : row, left = out - column;
  for (int64_t i = 0; i < tokens; ++i) {
    const int64_t at = (first + i) * out + column;
    const Y* residual = static_cast<const Y*>(e.residual) + at;
    Y* y = static_cast<Y*>(e.y) + at;
    auto a = V::load(sums + i * kLanes);
    if (left >= kLanes) {
      if (e.residual) a = a + load_any<V>(residual);
      store_any<V>(y, a);
    } else if (left > 0) {
      if (e.residual) a = a + load_some<V>(residual, left);
      store_some<V>(y, a, left);
    }
  }
}

// acc is [quad][token]: put the rows in order and transpose, L x L at a time. Not inlined: all element types share it.
template <class V>
__attribute__((noinline)) static void transpose_sums(const float* acc, int64_t width, float (&block)[V::kLanes * V::kLanes]) {
  typename V::F32 a[V::kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < V::kLanes; ++i) a[i] = V::load(acc + quad_of_row<V::kLanes>(i) * width);
  V::transpose(a);
#pragma GCC unroll 16
  for (int i = 0; i < V::kLanes; ++i) V::store(block + i * V::kLanes, a[i]);
}

template <class V, class Y>
static void finish_many(const SpmmTile& t, int vectors, const SpmmEpilogue& e) {
  constexpr int kLanes = V::kLanes;
  const int64_t width = static_cast<int64_t>(vectors) * kLanes;
  for (int64_t first = 0; first < t.tokens; first += kLanes) {
    const int64_t tokens = t.tokens - first < kLanes ? t.tokens - first : kLanes;
    for (int64_t r = 0; r < t.rows; r += e.gated ? 2 * kLanes : kLanes) {
      alignas(64) float sums[kLanes * kLanes], up[kLanes * kLanes];
      transpose_sums<V>(t.acc + r * width + first, width, sums);
      if (e.gated) transpose_sums<V>(t.acc + (r + kLanes) * width + first, width, up);
      finish_block<V, Y>(t, e, t.first_row + r, sums, e.gated ? up : nullptr, first, tokens);
    }
  }
}

template <class V, class Y>
static void finish_few(const SpmmTile& t, const SpmmEpilogue& e) {
  const int64_t group = few_at_once(t.tokens) * V::kLanes;  // floats
  for (int64_t r = 0; r < t.rows; r += e.gated ? 2 * V::kLanes : V::kLanes) {
    float* sums = t.acc + r / V::kLanes * group;
    finish_block<V, Y>(t, e, t.first_row + r, sums, e.gated ? sums + group : nullptr, 0, t.tokens);
  }
}

}  // namespace
}  // namespace sk

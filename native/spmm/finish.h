// After the loop nests: the sums become outputs, y = act(scale * sum + bias) * up + residual, in the element type of y: blocks of at most L
// tokens, which stay in L1.
#pragma once

#include "../simd/activate.h"
#include "../simd/element.h"
#include "tile.h"

namespace sk {
namespace {

// Row groups of a block: their outputs are a line of float32 y. Rows of y often lie a power of two apart and share a set of the cache, from
// which a line that is half written would go and come back.
template <class V>
constexpr int kBlockGroups = V::kLanes < 16 ? 16 / V::kLanes : 1;

// Rows that are finished for all tokens before the next ones: a line of acc has tokens of two blocks, and stays in L1 from one to the next.
constexpr int64_t kRowsInL1 = 64;

template <class V>
inline typename V::F32 scale_of(const SpmmEpilogue& e, int64_t row) {
  return e.scale ? V::load(e.scale + row) : V::set1(1);
}

// A row group, [token][L], in place; or a gate and, in `up`, the row group of the weight behind it.
template <class V>
static void finish_group(const SpmmEpilogue& e, int64_t tokens, float* sums, const float* up) {
  activate<V>(sums, tokens, e.activation);
  if (up == nullptr) return;
  for (int64_t i = 0; i < tokens * V::kLanes; i += V::kLanes) V::store(sums + i, V::load(sums + i) * V::load(up + i));
}

// Outputs of `groups` row groups that follow one another, [group][token][L] and `stride` apart, to y: whole vectors, or the first `last` of
// the last one.
template <class V, class Y>
inline void store_groups(const float* sums, int64_t stride, int groups, int64_t last, int64_t tokens, int64_t out, const Y* residual,
                         Y* y) {
  constexpr int kLanes = V::kLanes;
  for (int64_t i = 0; i < tokens; ++i, y += out)
#pragma GCC unroll 4
    for (int g = 0; g < groups; ++g) {
      auto a = V::load(sums + g * stride + i * kLanes);
      if (g + 1 < groups || last >= kLanes) {
        if (residual) a = a + load_any<V>(residual + i * out + g * kLanes);
        store_any<V>(y + g * kLanes, a);
      } else {
        if (residual) a = a + load_some<V>(residual + i * out + g * kLanes, last);
        store_some<V>(y + g * kLanes, a, last);
      }
    }
}

// The tokens from `first` on of row groups from output `column` on.
template <class V, class Y>
static void store_block(const SpmmTile& t, const SpmmEpilogue& e, const float* sums, int64_t stride, int groups, int64_t first,
                        int64_t tokens, int64_t column) {
  const int64_t out = t.weight->out, at = first * out + column, left = out - column;
  const Y* residual = e.residual ? static_cast<const Y*>(e.residual) + at : nullptr;
  Y* y = static_cast<Y*>(e.y) + at;
  if (residual == nullptr && groups == kBlockGroups<V> && left >= groups * V::kLanes)  // mostly so
    return store_groups<V, Y>(sums, stride, kBlockGroups<V>, V::kLanes, tokens, out, nullptr, y);
  const int64_t filled = (left + V::kLanes - 1) / V::kLanes;
  if (filled < groups) groups = static_cast<int>(filled);
  store_groups<V, Y>(sums, stride, groups, left - (groups - 1) * V::kLanes, tokens, out, residual, y);
}

// acc is [quad][token]: put the rows in order and transpose, L x L at a time. Not inlined: all element types share it.
template <class V>
__attribute__((noinline)) static void transpose_sums(const float* acc, int64_t width, const SpmmEpilogue& e, int64_t row,
                                                     float (&block)[V::kLanes * V::kLanes]) {
  const auto scale = scale_of<V>(e, row), bias = V::load(e.bias + row);
  typename V::F32 a[V::kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < V::kLanes; ++i) a[i] = V::load(acc + quad_of_row<V::kLanes>(i) * width);
  V::transpose(a);
#pragma GCC unroll 16
  for (int i = 0; i < V::kLanes; ++i) V::store(block + i * V::kLanes, V::fma(a[i], scale, bias));
}

template <class V, class Y>
static void finish_many(const SpmmTile& t, int vectors, const SpmmEpilogue& e) {
  constexpr int64_t kLanes = V::kLanes, kBlock = kLanes * kLanes;
  const int64_t width = vectors * kLanes, step = e.gated ? 2 * kLanes : kLanes;
  for (int64_t begin = 0; begin < t.rows; begin += kRowsInL1) {
    const int64_t end = begin + kRowsInL1 < t.rows ? begin + kRowsInL1 : t.rows;
    for (int64_t first = 0; first < t.tokens; first += kLanes) {
      const int64_t tokens = t.tokens - first < kLanes ? t.tokens - first : kLanes;
      for (int64_t r = begin; r < end;) {
        alignas(64) float sums[kBlockGroups<V>][kBlock], up[kBlock];
        const int64_t column = (t.first_row + r) * kLanes / step;
        int groups = 0;
        for (; groups < kBlockGroups<V> && r < end; ++groups, r += step) {
          transpose_sums<V>(t.acc + r * width + first, width, e, t.first_row + r, sums[groups]);
          if (e.gated) transpose_sums<V>(t.acc + (r + kLanes) * width + first, width, e, t.first_row + r + kLanes, up);
          finish_group<V>(e, tokens, sums[groups], e.gated ? up : nullptr);
        }
        store_block<V, Y>(t, e, sums[0], kBlock, groups, first, tokens, column);
      }
    }
  }
}

template <class V, class Y>
static void finish_few(const SpmmTile& t, const SpmmEpilogue& e) {
  constexpr int64_t kLanes = V::kLanes;
  const int64_t group = few_at_once(t.tokens) * kLanes, step = e.gated ? 2 * kLanes : kLanes;  // floats; rows
  for (int64_t r = 0; r < t.rows; r += kLanes) {
    const auto scale = scale_of<V>(e, t.first_row + r), bias = V::load(e.bias + t.first_row + r);
    float* sums = t.acc + r / kLanes * group;
    for (int64_t i = 0; i < t.tokens * kLanes; i += kLanes) V::store(sums + i, V::fma(V::load(sums + i), scale, bias));
  }
  for (int64_t r = 0; r < t.rows; r += step) {
    float* sums = t.acc + r / kLanes * group;
    finish_group<V>(e, t.tokens, sums, e.gated ? sums + group : nullptr);
    store_block<V, Y>(t, e, sums, 0, 1, 0, t.tokens, (t.first_row + r) * kLanes / step);
  }
}

}  // namespace
}  // namespace sk

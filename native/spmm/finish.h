// After the loop nests: the sums become outputs, y = act(scale * sum + bias), in the element type of y.
#pragma once

#include "tile.h"

namespace sk {
namespace {

template <class V>
inline void store_any(float* p, typename V::F32 a) {
  V::storeu(p, a);
}
template <class V>
inline void store_any(Half* p, typename V::F32 a) {
  V::store(p, a);
}
template <class V>
inline void store_any(BHalf* p, typename V::F32 a) {
  V::store(p, a);
}

// The first `count` of L outputs.
template <class V, class Y>
inline void store_some(Y* p, typename V::F32 a, int64_t count) {
  Y edge[V::kLanes];
  store_any<V>(edge, a);
  for (int64_t i = 0; i < count && i < V::kLanes; ++i) p[i] = edge[i];
}

// L neighbouring outputs of one token.
template <class V>
inline typename V::F32 epilogue_of(typename V::F32 sum, typename V::F32 scale, typename V::F32 bias, Activation activation) {
  const typename V::F32 a = V::fma(sum, scale, bias);
  return activation == Activation::kRelu ? V::relu(a) : a;
}

template <class V>
inline typename V::F32 scale_of(const SpmmEpilogue& e, int64_t row) {
  return e.scale ? V::load(e.scale + row) : V::set1(1);
}

// acc is [quad][token], y is [token][row]: put the rows in order and transpose, L x L at a time.
template <class V, class Y>
static void finish_many(const SpmmTile& t, int vectors, const SpmmEpilogue& e) {
  constexpr int kLanes = V::kLanes;
  const int64_t out = t.weight->out, width = static_cast<int64_t>(vectors) * kLanes;
  for (int v = 0; v < vectors; ++v) {
    const int64_t tokens = t.tokens - v * kLanes < kLanes ? t.tokens - v * kLanes : kLanes;
    for (int64_t g = 0; g < t.rows; g += kLanes) {
      typename V::F32 a[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) a[i] = V::load(t.acc + (g + quad_of_row<kLanes>(i)) * width + v * kLanes);
      V::transpose(a);
      const int64_t row = t.first_row + g;
      const auto scale = scale_of<V>(e, row), bias = V::load(e.bias + row);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) a[i] = epilogue_of<V>(a[i], scale, bias, e.activation);
      Y* y = static_cast<Y*>(e.y) + v * kLanes * out + row;
      if (tokens == kLanes && row + kLanes <= out) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) store_any<V>(y + i * out, a[i]);
      } else {
        for (int i = 0; i < tokens; ++i) store_some<V>(y + i * out, a[i], out - row);
      }
    }
  }
}

template <class V, class Y>
static void finish_few(const SpmmTile& t, const SpmmEpilogue& e) {
  const int64_t out = t.weight->out;
  for (int64_t r = 0; r < t.rows; r += V::kLanes) {
    const int64_t row = t.first_row + r;
    const auto scale = scale_of<V>(e, row), bias = V::load(e.bias + row);
    for (int64_t i = 0; i < t.tokens; ++i) {
      const auto a = epilogue_of<V>(V::load(t.acc + r * t.tokens + i * V::kLanes), scale, bias, e.activation);
      Y* y = static_cast<Y*>(e.y) + i * out + row;
      if (row + V::kLanes <= out)
        store_any<V>(y, a);
      else
        store_some<V>(y, a, out - row);
    }
  }
}

}  // namespace
}  // namespace sk

// Before the loop nests: x, in any of its element types, becomes float32 in the shape that they read.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

template <class V>
inline typename V::F32 load_any(const float* p) {
  return V::loadu(p);
}
template <class V>
inline typename V::F32 load_any(const Half* p) {
  return V::load(p);
}
template <class V>
inline typename V::F32 load_any(const BHalf* p) {
  return V::load(p);
}

// The first `count` of L elements, then zeros.
template <class V, class X>
inline typename V::F32 load_some(const X* p, int64_t count) {
  X edge[V::kLanes] = {};
  for (int64_t i = 0; i < count && i < V::kLanes; ++i) edge[i] = p[i];
  return load_any<V>(edge);
}

// k0 and k1 are multiples of the unit, so of L.
template <class V, class X>
static void pack_panel(const void* x_data, int64_t tokens, int64_t in, int64_t k0, int64_t k1, int vectors, float* panel) {
  constexpr int kLanes = V::kLanes;
  const X* x = static_cast<const X*>(x_data);
  const int64_t width = static_cast<int64_t>(vectors) * kLanes;
  for (int64_t k = k0; k < k1; k += kLanes) {
    for (int v = 0; v < vectors; ++v) {
      typename V::F32 a[kLanes];
      const X* first = x + v * kLanes * in + k;
      const int64_t rows = tokens - v * kLanes;
      if (rows >= kLanes && k + kLanes <= in) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) a[i] = load_any<V>(first + i * in);
      } else {
        for (int i = 0; i < kLanes; ++i) a[i] = i < rows ? load_some<V>(first + i * in, in - k) : V::zero();
      }
      V::transpose(a);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) V::store(panel + (k + i) * width + v * kLanes, a[i]);
    }
  }
}

// in_padded is a multiple of L.
template <class V, class X>
static void widen_rows(const void* x_data, int64_t tokens, int64_t in, int64_t in_padded, float* rows) {
  const X* x = static_cast<const X*>(x_data);
  for (int64_t t = 0; t < tokens; ++t, x += in, rows += in_padded)
    for (int64_t k = 0; k < in_padded; k += V::kLanes)
      V::store(rows + k, k + V::kLanes <= in ? load_any<V>(x + k) : load_some<V>(x + k, in - k));
}

}  // namespace
}  // namespace sk

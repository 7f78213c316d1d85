// Before the loop nests: x, in any of its element types, becomes float32 in the shape that they read.
#pragma once

#include "../simd/element.h"

namespace sk {
namespace {

// Inputs that are read of L tokens in one go. Rows of x often lie a power of two apart and share a few sets of the cache: the lines of a go
// must fit there until they are used up.
constexpr int64_t kGo = 64;

// L inputs each of L tokens, `in` apart, as L vectors of tokens. Only `rows` tokens and `left` inputs are there; the others become 0.
template <class V, class X>
inline void load_turned(const X* x, int64_t in, int64_t rows, int64_t left, typename V::F32 (&a)[V::kLanes]) {
  if (rows >= V::kLanes && left >= V::kLanes) {
#pragma GCC unroll 16
    for (int i = 0; i < V::kLanes; ++i) a[i] = load_any<V>(x + i * in);
  } else {
    for (int i = 0; i < V::kLanes; ++i) a[i] = i < rows ? load_some<V>(x + i * in, left) : V::zero();
  }
  V::transpose(a);
}

// k0 and k1 are multiples of the unit, so of L.
template <class V, class X>
static void pack_panel(const void* x_data, int64_t tokens, int64_t in, int64_t k0, int64_t k1, int vectors, float* panel) {
  constexpr int kLanes = V::kLanes;
  const int64_t width = static_cast<int64_t>(vectors) * kLanes;
  for (int64_t go = k0; go < k1; go += kGo) {
    const int64_t end = go + kGo < k1 ? go + kGo : k1;
    for (int v = 0; v < vectors; ++v) {
      const X* first = static_cast<const X*>(x_data) + v * kLanes * in;
      for (int64_t k = go; k < end; k += kLanes) {
        typename V::F32 inputs[kLanes];
        load_turned<V>(first + k, in, tokens - v * kLanes, in - k, inputs);
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) V::store(panel + (k + i) * width + v * kLanes, inputs[i]);
      }
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

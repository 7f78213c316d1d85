// Before the loop nests: x, in any of its element types, becomes float32 in the shape that they read.
#pragma once

#include "element.h"

namespace sk {
namespace {

// L floats each of L tokens -> L rows of a panel. Not inlined: all element types share it.
template <class V>
__attribute__((noinline)) static void transpose_to_panel(const float (&block)[V::kLanes][V::kLanes], float* panel, int64_t width) {
  typename V::F32 a[V::kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < V::kLanes; ++i) a[i] = V::load(block[i]);
  V::transpose(a);
#pragma GCC unroll 16
  for (int i = 0; i < V::kLanes; ++i) V::store(panel + i * width, a[i]);
}

// Inputs that are read of L tokens in one go. Rows of x often lie a power of two apart and share a few sets of the cache: the lines of a go
// must fit there until they are used up.
constexpr int64_t kGo = 64;

// The same rows' part of the next go is on its way to L2 meanwhile: hardware foresees no walk down so many rows.
template <class X>
inline void prefetch_rows(const X* x, int64_t rows, int64_t in, int64_t count) {
  constexpr int64_t kLine = 64 / sizeof(X);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t k = 0; k < count; k += kLine) __builtin_prefetch(x + i * in + k, 0, 2);
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
      const int64_t rows = tokens - v * kLanes;
      if (rows > 0 && end < k1) prefetch_rows(first + end, rows < kLanes ? rows : kLanes, in, (end + kGo < in ? end + kGo : in) - end);
      for (int64_t k = go; k < end; k += kLanes) {
        alignas(64) float block[kLanes][kLanes];
        const X* x = first + k;
        for (int i = 0; i < kLanes; ++i, x += in)
          V::store(block[i], i >= rows ? V::zero() : k + kLanes <= in ? load_any<V>(x) : load_some<V>(x, in - k));
        transpose_to_panel<V>(block, panel + k * width + v * kLanes, width);
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

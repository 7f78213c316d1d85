// What both loop nests of attend (many_rows.h, few_rows.h) share: elements, copies of rows, the exponential.
#pragma once

#include "../simd/exp.h"
#include "kernel.h"

namespace sk {
namespace {

// Elements of q, k and v: load() gives L of them as float32, from any alignment.
template <class V>
struct ElementF32 {
  using T = float;
  static inline typename V::F32 load(const T* p) { return V::loadu(p); }
};
template <class V, class Number>
struct ElementNarrow {
  using T = Number;
  static inline typename V::F32 load(const T* p) { return V::load(p); }
};
template <class V>
using ElementF16 = ElementNarrow<V, Half>;
template <class V>
using ElementBf16 = ElementNarrow<V, BHalf>;

constexpr int round_up_int(int a, int b) { return (a + b - 1) / b * b; }

// The elements [i, min(i + L, d)) of a row, zeros behind them; reads nothing behind the row.
template <class V, class E>
inline typename V::F32 load_row(const void* row, int i, int d) {
  using T = typename E::T;
  const T* from = static_cast<const T*>(row) + i;
  if (i + V::kLanes <= d) return E::load(from);
  alignas(64) T edge[V::kLanes] = {};
  for (int j = 0; i + j < d; ++j) edge[j] = from[j];
  return E::load(edge);
}

// a to the elements [i, min(i + L, d)) of a row.
template <class V>
inline void store_row(float* row, int i, int d, typename V::F32 a) {
  if (i + V::kLanes <= d) return V::storeu(row + i, a);
  alignas(64) float edge[V::kLanes];
  V::store(edge, a);
  for (int j = 0; i + j < d; ++j) row[i + j] = edge[j];
}

// Copies of rows, float32, padded with zeros to a multiple of 16. Their stride is an odd number of cache lines, so that walking down a
// column of them visits all sets of L1.
template <class V, class E>
struct Staged {
  const float* rows[kAttendKeys + kAttendKeyPadding];

  void copy(const void* const* from, int n, int d, float* to) {
    const int padded = round_up_int(d, 16);
    for (int j = 0; j < n; ++j, to += padded + 16) {
      rows[j] = to;
      for (int i = 0; i < padded; i += V::kLanes) V::store(to + i, i < d ? load_row<V, E>(from[j], i, d) : V::zero());
    }
    for (int j = n; j < n + kAttendKeyPadding; ++j) rows[j] = rows[n - 1];
  }
};

// n scores (a multiple of L, aligned): cap * tanh(score / cap).
template <class V>
void cap_scores(float* scores, int n, float cap) {
  using F32 = typename V::F32;
  const F32 one = V::set1(1.0f), least = V::set1(-60.0f), factor = V::set1(-2.885390082f / cap);
  for (int i = 0; i < n; i += V::kLanes) {
    // tanh(y) = (e - 1) / (e + 1), e = 2^(2 y log2(e)); from 2^60 on that is 1.
    const F32 e = exp2<V>(V::zero() - V::max(least, V::load(scores + i) * factor));
    V::store(scores + i, V::set1(cap) * (e - one) / (e + one));
  }
}

}  // namespace
}  // namespace sk

// Few rows (decoding): a vector holds L dims of one row. The keys and values are read once, from memory, and that is the floor: bytes of K
// and V over bandwidth. Rows are worked on in groups of kRows = 1, 2 or 4 (the group of 3 has a row of zeros).
//
//   scores   acc[key][row] += K[key] * Q[row], L sums at a time     added up across lanes once a key and row
//   rules    soft cap, bias, cuts                                   where there are any
//   softmax  in [key][row] order, whole vectors
//   output   O[row] = O[row] * alpha + P[key][row] V[key]           V was prefetched while the scores were computed
#pragma once

#include "tile.h"

namespace sk {
namespace {

constexpr int kFewRows = 8;

template <class V, class E, int kRows>
struct FewRows {
  using F32 = typename V::F32;
  using T = typename E::T;
  static constexpr int L = V::kLanes;
  static constexpr int kKeys = L / kRows;
  static constexpr int kVectors = 8 / kRows;  // of values in registers: 8 accumulators

  // How far ahead of the scores K is fetched: scattered rows (columns, pages) are nothing that the hardware could foresee.
  static constexpr int kAhead = kAttendKeyPadding;

  static void score(const void* const* keys, const void* const* values, int n, const float* queries, int d, float* scores, bool fetch) {
    for (int j = 0; j < n; j += kKeys) {
      F32 acc[L];
      const T* k[kKeys];
#pragma GCC unroll 16
      for (int c = 0; c < L; ++c) acc[c] = V::zero();
#pragma GCC unroll 16
      for (int c = 0; c < kKeys; ++c) k[c] = static_cast<const T*>(keys[j + c]);
      if (fetch)
        for (int c = 0; c < kKeys; ++c)
          for (int i = 0; i < d; i += 64 / static_cast<int>(sizeof(T))) {
            V::prefetch(static_cast<const T*>(values[j + c]) + i);
            V::prefetch(static_cast<const T*>(keys[j + c + kAhead < n ? j + c + kAhead : n]) + i);
          }
      for (int i = 0; i < d; i += L) {
        F32 q[kRows];
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) q[r] = V::load(queries + r * d + i);
#pragma GCC unroll 16
        for (int c = 0; c < kKeys; ++c) {
          const F32 key = E::load(k[c] + i);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r) acc[c * kRows + r] = V::fma(key, q[r], acc[c * kRows + r]);
        }
      }
      V::store(scores + j * kRows, V::sums(acc));
    }
  }

  template <int kV>
  static inline void value_group(const void* const* values, int i, const float* weights, int n, int d, const float* alpha, float* output) {
    F32 acc[kRows][kV];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v) acc[r][v] = V::load(output + r * d + i + v * L) * V::set1(alpha[r]);
    for (int j = 0; j < n; ++j) {
      const T* value = static_cast<const T*>(values[j]) + i;
      F32 x[kV];
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v) x[v] = E::load(value + v * L);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const F32 p = V::set1(weights[j * kRows + r]);
#pragma GCC unroll 8
        for (int v = 0; v < kV; ++v) acc[r][v] = V::fma(p, x[v], acc[r][v]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v) V::store(output + r * d + i + v * L, acc[r][v]);
  }

  // Soft cap and bias for the first n keys, -infinity where a row does not see a key and behind the last key.
  static void apply_rules(const AttendBlock& b, const AttendKeys& keys, int row, float* scores) {
    const int n = keys.count, padded = round_up_int(n, kKeys);
    if (b.softcap > 0) cap_scores<V>(scores, padded * kRows, b.softcap);
    if (keys.bias != nullptr)
      for (int j = 0; j < n; ++j)
        for (int r = 0; r < kRows; ++r) scores[j * kRows + r] += keys.bias[j];
    if (keys.cut)
      for (int j = 0; j < n; ++j)
        for (int r = 0; r < kRows; ++r) {
          const int32_t position = keys.position[j];
          if (position > b.high[row + r] || (position < b.low[row + r] && position >= b.sink_tokens))
            scores[j * kRows + r] = -__builtin_inff();
        }
    for (int i = n * kRows; i < padded * kRows; ++i) scores[i] = -__builtin_inff();
  }

  // Scores to weights; alpha as for many rows.
  static void softmax(float* scores, int n, float* max, float* sum, float* alpha) {
    alignas(64) float lanes[L], old[kRows];
    const int padded = round_up_int(n, kKeys) * kRows;
    for (int l = 0; l < L; ++l) lanes[l] = max[l % kRows];
    F32 m = V::load(lanes);
    for (int i = 0; i < padded; i += L) m = V::max(m, V::load(scores + i));
    V::store(lanes, m);
    for (int r = 0; r < kRows; ++r) old[r] = max[r];
    for (int l = 0; l < L; ++l) max[l % kRows] = lanes[l] > max[l % kRows] ? lanes[l] : max[l % kRows];
    for (int l = 0; l < L; ++l) lanes[l] = max[l % kRows];
    m = V::load(lanes);
    F32 s = V::zero();
    for (int i = 0; i < padded; i += L) {
      const F32 p = exp2<V>(V::load(scores + i) - m);
      V::store(scores + i, p);
      s = s + p;
    }
    for (int l = 0; l < L; ++l) lanes[l] = old[l % kRows] - max[l % kRows];
    V::store(lanes, exp2<V>(V::load(lanes)));
    for (int r = 0; r < kRows; ++r) alpha[r] = lanes[r], sum[r] *= lanes[r];
    V::store(lanes, s);
    for (int l = 0; l < L; ++l) sum[l % kRows] += lanes[l];
  }

  // Rows [row, row + kRows) of the block; d is a multiple of L.
  static void chunk(const AttendBlock& b, const AttendKeys& keys, int row, int d) {
    const float* queries = b.queries + row * d;
    float *scores = b.scores, *output = b.output + row * d, alpha[kRows];
    score(keys.k, keys.v, keys.count, queries, d, scores, row == 0);
    apply_rules(b, keys, row, scores);
    softmax(scores, keys.count, b.max + row, b.sum + row, alpha);
    int i = 0;
    for (; i + kVectors * L <= d; i += kVectors * L) value_group<kVectors>(keys.v, i, scores, keys.count, d, alpha, output);
    for (; i < d; i += L) value_group<1>(keys.v, i, scores, keys.count, d, alpha, output);
  }
};

// The groups of a block: all rows see a chunk before the next one is read.
template <class V, class E>
struct FewRowGroups {
  static constexpr int L = V::kLanes;

  static constexpr int padded_rows(int rows) { return rows > 2 ? round_up_int(rows, 4) : rows; }

  template <class Element>
  static void groups(const AttendBlock& b, const AttendKeys& keys, int d) {
    if (b.rows == 1) return FewRows<V, Element, 1>::chunk(b, keys, 0, d);
    if (b.rows == 2) return FewRows<V, Element, 2>::chunk(b, keys, 0, d);
    for (int row = 0; row < b.rows; row += 4) FewRows<V, Element, 4>::chunk(b, keys, row, d);
  }

  static void chunk(const AttendBlock& b, const AttendKeys& keys) {
    if (b.d % L == 0) return groups<E>(b, keys, b.d);
    Staged<V, E> k, v;  // rows that are not whole vectors
    k.copy(keys.k, keys.count, b.d, b.keys);
    v.copy(keys.v, keys.count, b.d, b.values);
    AttendKeys staged = keys;
    staged.k = reinterpret_cast<const void* const*>(k.rows);
    staged.v = reinterpret_cast<const void* const*>(v.rows);
    groups<ElementF32<V>>(b, staged, round_up_int(b.d, L));
  }

  static void begin(const AttendBlock& b, const void* const* q) {
    const int d = round_up_int(b.d, L);
    for (int row = 0; row < padded_rows(b.rows); ++row)
      for (int i = 0; i < d; i += L) {
        V::store(b.queries + row * d + i, row < b.rows ? load_row<V, E>(q[row], i, b.d) * V::set1(b.scale) : V::zero());
        V::store(b.output + row * d + i, V::zero());
      }
  }

  static void finish(const AttendBlock& b, const float* factor, float* const* to) {
    const int d = round_up_int(b.d, L);
    for (int row = 0; row < b.rows; ++row)
      for (int i = 0; i < b.d; i += L) store_row<V>(to[row], i, b.d, V::load(b.output + row * d + i) * V::set1(factor[row]));
  }
};

}  // namespace
}  // namespace sk

// The moves of a block of few rows, in groups that few_rows.h works on: all rows see a chunk before the next one is read.
#pragma once

#include "few_rows.h"

namespace sk {
namespace {

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

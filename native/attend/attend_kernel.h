// The two loop nests as one kernel: blocks of few rows have dims in lanes, others rows.
#pragma once

#include "few_rows.h"
#include "many_rows.h"

namespace sk {
namespace {

template <class V, class E, int kGroup>
struct Attend {
  using Few = FewRowGroups<V, E>;
  using Many = ManyRows<V, E, kGroup>;

  static void begin(const AttendBlock& b, const void* const* q) { b.rows <= kFewRows ? Few::begin(b, q) : Many::begin(b, q); }
  static void chunk(const AttendBlock& b, const AttendKeys& keys) { b.rows <= kFewRows ? Few::chunk(b, keys) : Many::chunk(b, keys); }
  static void finish(const AttendBlock& b, const float* factor, float* const* to) {
    b.rows <= kFewRows ? Few::finish(b, factor, to) : Many::finish(b, factor, to);
  }
};

}  // namespace
}  // namespace sk

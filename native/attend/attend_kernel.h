// The loop nests as kernels. Blocks: blocks of few rows have dims in lanes, others rows; KeysFirst is a kernel as it is.
#pragma once

#include "keys_first.h"
#include "many_rows.h"
#include "row_groups.h"

namespace sk {
namespace {

template <class V, class E>
struct Blocks {
  using Few = FewRowGroups<V, E>;
  using Many = ManyRows<V, E, V::kLanes == 16 ? 12 : 6>;  // 16 lanes: AVX-512 has twice the registers

  static void begin(const AttendBlock& b, const void* const* q) { b.rows <= kAttendFewRows ? Few::begin(b, q) : Many::begin(b, q); }
  static void chunk(const AttendBlock& b, const AttendKeys& keys) { b.rows <= kAttendFewRows ? Few::chunk(b, keys) : Many::chunk(b, keys); }
  static void finish(const AttendBlock& b, const float* factor, float* const* to) {
    b.rows <= kAttendFewRows ? Few::finish(b, factor, to) : Many::finish(b, factor, to);
  }

  static constexpr AttendKernel kernel(const char* name, const char* dtype) {
    return {name, dtype, V::kLanes, &begin, &chunk, &finish, nullptr, nullptr};
  }
};

}  // namespace
}  // namespace sk

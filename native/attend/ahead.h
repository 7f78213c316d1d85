// Lines of keys and values on their way before few_rows.h reads them.
//
// The order in which the products read (a line of several keys each) is nothing that the hardware could foresee, and they want lines faster
// than memory answers, so lines are fetched ahead, a few at a time between the products. A core keeps some 20 lines on their way and drops
// requests that find all places taken: so each line is asked for kTries times, and what is there already costs a slot of a load. Keys that
// lie one behind the other: two phases ahead, a line of K and one of V at a time, in their order. (Asked for once, a loop that is faster
// by itself waits longer for memory, and where loops lie decides about a quarter of the time.) Scattered keys (columns): each line that is
// read fetches the same line of a few later keys; in order, the hardware would fetch what lies behind each key as well.
#pragma once

#include <cstdint>

#include "kernel.h"

namespace sk {
namespace {

template <class V, class T, int kPhase>
struct FetchAhead {
  static constexpr int kLine = 64 / static_cast<int>(sizeof(T));  // elements
  static constexpr int kKeys = 2 * kPhase;                        // from a key to that which is fetched beside it, in streams
  static constexpr int kTries = 3, kApart = 6;                    // keys between tries, where they are scattered
  static_assert(kKeys + kPhase <= kAttendKeyPadding && kTries * kApart + kPhase <= kAttendKeyPadding, "what is fetched is within reach");

  // Lines of keys and of values that lie one behind the other.
  struct Streams {
    uintptr_t key;
    intptr_t to_value;

    Streams(const void* k, const void* v)
        : key(reinterpret_cast<uintptr_t>(k)), to_value(reinterpret_cast<intptr_t>(v) - reinterpret_cast<intptr_t>(k)) {}

    // The next line of each, and once more those before.
    inline void fetch() {
      const auto* k = reinterpret_cast<const T*>(key);
      const auto* v = reinterpret_cast<const T*>(key + static_cast<uintptr_t>(to_value));
#pragma GCC unroll 4
      for (int t = 0; t < kTries; ++t) V::prefetch(k - t * kLine), V::prefetch(v - t * kLine);
      key += 64;
    }
  };

  // The lines at element i of some keys behind the first of these rows.
  static inline void scattered(const void* const* rows, int i) {
#pragma GCC unroll 4
    for (int t = kTries; t > 0; --t) V::prefetch(static_cast<const T*>(rows[t * kApart]) + i);
  }
};

}  // namespace
}  // namespace sk

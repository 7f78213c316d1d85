// Lines of keys and values on their way before few_rows.h reads them.
//
// The order in which the products read (a line of several keys each) is nothing that the hardware could foresee, so lines are fetched
// ahead, one at a time between the products: a core keeps some 20 lines on their way and drops requests that come in bursts. Keys that lie
// one behind the other: three phases ahead, a line of K and one of V in turn, in their order, two streams that the hardware joins (with
// two, what the hardware makes of them depends on where loops lie in memory: up to half more time in some builds and processes, with three
// a fifth in few). Scattered ones (columns): each line that is read fetches the same line of a few later keys; in order, the hardware would
// fetch what lies behind each key as well. Nothing but these requests brings scattered keys, they come faster than memory answers, and a
// core drops those that find all its 20 places taken: so each line is asked for kTries times, and what is there already costs a slot of a
// load.
#pragma once

#include <cstdint>

#include "kernel.h"

namespace sk {
namespace {

template <class V, class T, int kPhase>
struct FetchAhead {
  static constexpr int kLine = 64 / static_cast<int>(sizeof(T));  // elements
  static constexpr int kKeys = 3 * kPhase;                        // from a key to that which is fetched beside it, in streams
  static constexpr int kTries = 3, kApart = 6;                    // keys between them
  static_assert(kKeys + kPhase <= kAttendKeyPadding && kTries * kApart + kPhase <= kAttendKeyPadding, "what is fetched is within reach");

  // Lines of keys and of values that lie one behind the other, in turn.
  struct Streams {
    uintptr_t next;
    intptr_t step;

    Streams(const void* k, const void* v)
        : next(reinterpret_cast<uintptr_t>(k)), step(reinterpret_cast<intptr_t>(v) - reinterpret_cast<intptr_t>(k)) {}
    inline void fetch() {
      V::prefetch(reinterpret_cast<const T*>(next));
      next += static_cast<uintptr_t>(step), step = 64 - step;
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

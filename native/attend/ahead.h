// Lines of keys and values on their way before few_rows.h reads them.
//
// The order in which the products read (a line of several keys each) is nothing that the hardware could foresee, and they want lines faster
// than memory answers, so lines are fetched ahead, a few at a time between the products. A core keeps some 20 lines on their way and drops
// requests that find all places taken: so each line is asked for kTries times, and what is there already costs a slot of a load. (Asked for
// once, a loop that is faster by itself waits longer for memory, and where loops lie decides about a quarter of the time.) How often, and
// into which cache (V::prefetch_early), was measured on Zen 3 for AVX2 and on Zen 4 for AVX-512.
//
// Keys that lie one behind the other: those of the next unit, as two streams of lines, which the hardware joins; one alone takes longer.
// Scattered keys (columns): each line that is read fetches the same line of a few later keys; in order, the hardware would fetch
// what lies behind each key as well.
#pragma once

#include <cstdint>

#include "kernel.h"

namespace sk {
namespace {

template <class V, class T, int kPhase>
struct FetchAhead {
  static constexpr int kLine = 64 / static_cast<int>(sizeof(T));      // elements
  static constexpr int kUnit = kAttendUnit, kHalf = kUnit / 2;        // keys
  static constexpr int kTries = V::kLanes == 16 ? 4 : 3, kApart = 6;  // keys between tries, where they are scattered
  static_assert(2 * kUnit <= kAttendKeyPadding && kTries * kApart + kUnit <= kAttendKeyPadding, "what is fetched is within reach");

  // Lines of later keys and values, fetched beside `keys` keys of a unit at k and v, `done` of which came before. Where each value lies
  // behind its key, as in the pages of a cache, the streams are the halves of the next unit, else its keys and its values.
  struct Streams {
    uintptr_t first;
    intptr_t to_second;
    bool together;  // each stream is one piece of memory

    Streams(const void* const* k, const void* const* v, int d, int done, int keys) {
      const bool paired = row(*v) == row(*k) + d;
      const void* const* a = k + kUnit + (paired ? done / 2 : done);
      const void* const* b = paired ? a + kHalf : v + kUnit + done;
      const int last = (paired ? keys / 2 : keys) - 1, stride = paired ? 2 * d : d;
      first = reinterpret_cast<uintptr_t>(*a);
      to_second = reinterpret_cast<intptr_t>(*b) - reinterpret_cast<intptr_t>(*a);
      together = row(a[last]) == row(*a) + last * stride && row(b[last]) == row(*b) + last * stride;
    }

    // The next line of each, and once more those before.
    inline void fetch() {
      const auto* a = reinterpret_cast<const T*>(first);
      const auto* b = reinterpret_cast<const T*>(first + static_cast<uintptr_t>(to_second));
#pragma GCC unroll 4
      for (int t = 0; t < kTries; ++t) V::prefetch_early(a - t * kLine), V::prefetch_early(b - t * kLine);
      first += 64;
    }

   private:
    static const T* row(const void* p) { return static_cast<const T*>(p); }
  };

  // The lines at element i of some keys behind the first of these rows.
  static inline void scattered(const void* const* rows, int i) {
#pragma GCC unroll 4
    for (int t = kTries; t > 0; --t) V::prefetch_early(static_cast<const T*>(rows[t * kApart]) + i);
  }
};

}  // namespace
}  // namespace sk

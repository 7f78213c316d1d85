// Rows of any length: what lies between two bounds or above one, the list of what is kept, its mask.
//
//   load -> compare, lane bits -> compress, store
//
// Floor of each: read the scores once. About ten vector operations for L scores, whatever they are: no branch depends on one score alone.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

template <class V>
struct Rows {
  using F32 = typename V::F32;
  using U32 = typename V::U32;
  static constexpr int kLanes = V::kLanes;

  template <bool kMagnitude>
  static inline F32 score(const float* p) {
    const F32 x = V::loadu(p);
    return kMagnitude ? V::float_of(V::and_u32(V::bits_of(x), V::set1_u32(0x7FFFFFFF))) : x;
  }
  template <bool kMagnitude>
  static inline float score1(const float* p) {
    return kMagnitude && *p < 0 ? -*p : *p;
  }

  template <bool kMagnitude>
  static Census census_of(const float* p, int64_t n, float lo, float hi, float* out) {
    constexpr uint32_t kAll = (1U << kLanes) - 1;
    const F32 low = V::set1(lo), high = V::set1(hi);
    Census found = {0, 0, false};
    uint32_t nan = 0;
    const auto take = [&](F32 x) {
      const uint32_t above = V::lanes_greater(x, high), between = kAll ^ above ^ V::lanes_greater(low, x);  // NaN, too: nobody reads it
      V::storeu_u32(reinterpret_cast<uint32_t*>(out + found.between), V::compress(V::bits_of(x), between));
      found.above += V::count(above);
      found.between += V::count(between);
    };
    int64_t i = 0;
    for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
      const F32 x0 = score<kMagnitude>(p + i), x1 = score<kMagnitude>(p + i + kLanes);
      nan |= V::lanes_nan(x0, x1);
      take(x0);
      take(x1);
    }
    if (i + kLanes <= n) {
      const F32 x = score<kMagnitude>(p + i);
      nan |= V::lanes_nan(x, x);
      take(x);
      i += kLanes;
    }
    for (; i < n; ++i) {
      const float x = score1<kMagnitude>(p + i);
      nan |= x != x;
      found.above += x > hi;
      if (x >= lo && x <= hi) out[found.between++] = x;
    }
    found.nan = nan != 0;
    return found;
  }

  static Census census(const float* p, int64_t n, bool magnitude, float lo, float hi, float* out) {
    return magnitude ? census_of<true>(p, n, lo, hi, out) : census_of<false>(p, n, lo, hi, out);
  }

  template <bool kMagnitude>
  static Spread spread_of(const float* p, int64_t n) {
    F32 sum[2] = {V::zero(), V::zero()}, squares[2] = {V::zero(), V::zero()};
    int64_t i = 0;
    for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        const F32 x = score<kMagnitude>(p + i + j * kLanes);
        sum[j] = sum[j] + x;
        squares[j] = V::fma(x, x, squares[j]);
      }
    }
    alignas(64) float lanes[2][kLanes];
    V::store(lanes[0], sum[0] + sum[1]), V::store(lanes[1], squares[0] + squares[1]);
    Spread all = {0, 0};
    for (int l = 0; l < kLanes; ++l) all.sum += lanes[0][l], all.squares += lanes[1][l];
    for (; i < n; ++i) {
      const float x = score1<kMagnitude>(p + i);
      all.sum += x, all.squares += x * x;
    }
    return all;
  }

  static Spread spread(const float* p, int64_t n, bool magnitude) { return magnitude ? spread_of<true>(p, n) : spread_of<false>(p, n); }

  template <bool kMagnitude>
  static int64_t above_of(const float* p, int64_t n, float bound) {
    const F32 b = V::set1(bound);
    int64_t found[4] = {}, i = 0;
    for (; i + 4 * kLanes <= n; i += 4 * kLanes)
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) found[j] += V::count(V::lanes_greater(score<kMagnitude>(p + i + j * kLanes), b));
    for (; i + kLanes <= n; i += kLanes) found[0] += V::count(V::lanes_greater(score<kMagnitude>(p + i), b));
    for (; i < n; ++i) found[0] += score1<kMagnitude>(p + i) > bound;
    return found[0] + found[1] + found[2] + found[3];
  }

  static int64_t above(const float* p, int64_t n, bool magnitude, float bound) {
    return magnitude ? above_of<true>(p, n, bound) : above_of<false>(p, n, bound);
  }

  // Of the lanes that equal the cut, those that are among the first `ties`.
  static inline uint32_t first_ties(uint32_t equal, int64_t* ties) {
    uint32_t taken = 0;
    for (; equal != 0 && *ties > 0; equal &= equal - 1, --*ties) taken |= equal & (0u - equal);
    return taken;
  }

  template <bool kMagnitude>
  static inline uint32_t kept(F32 x, F32 cut, int64_t* ties) {
    const uint32_t equal = V::lanes_equal(x, cut);
    uint32_t bits = V::lanes_greater(x, cut);
    if (equal != 0) bits |= first_ties(equal, ties);
    return bits;
  }

  // A row that keeps few goes through a list that whole vectors fit behind: which vectors hold something is nothing to branch on.
  static constexpr int64_t kShortList = 32;

  static int64_t list(const float* p, int64_t n, float cut, int64_t ties, int32_t first, int32_t* index, int64_t room) {
    if (room > kShortList) return (ties > 0 ? list_of<false, true> : list_of<false, false>)(p, n, cut, ties, first, index, room);
    int32_t few[kShortList + kLanes];
    const int64_t written = list_of<true, true>(p, n, cut, ties, first, few, room);
    for (int64_t i = 0; i < written; ++i) index[i] = few[i];
    return written;
  }

  // kRoomBehind: a vector may be written from index + room on.
  template <bool kRoomBehind, bool kTies>
  static int64_t list_of(const float* p, int64_t n, float cut, int64_t ties, int32_t first, int32_t* index, int64_t room) {
    const F32 bound = V::set1(cut);
    U32 lane = V::add_u32(V::iota(), V::set1_u32(static_cast<uint32_t>(first)));
    const U32 step = V::set1_u32(kLanes);
    int64_t written = 0, i = 0;
    for (; i + kLanes <= n; i += kLanes, lane = V::add_u32(lane, step)) {
      const F32 x = V::loadu(p + i);
      const uint32_t bits = kTies ? kept<false>(x, bound, &ties) : V::lanes_greater(x, bound);
      if (kRoomBehind || written + kLanes <= room) {
        V::storeu_u32(reinterpret_cast<uint32_t*>(index + written), V::compress(lane, bits));
        written += V::count(bits);
        if (kRoomBehind) written = written < room ? written : room;
      } else if (bits != 0) {  // a whole vector would not fit any more
        alignas(64) uint32_t ids[kLanes];
        V::storeu_u32(ids, V::compress(lane, bits));
        for (int l = 0; l < V::count(bits) && written < room; ++l) index[written++] = static_cast<int32_t>(ids[l]);
      }
    }
    for (; i < n; ++i)
      if ((p[i] > cut || (p[i] == cut && ties-- > 0)) && written < room) index[written++] = first + static_cast<int32_t>(i);
    return written;
  }

  template <bool kMagnitude>
  static void mask_of(const float* p, int64_t n, float cut, int64_t* ties, const float* weight, float* masked, uint8_t* mask) {
    const F32 bound = V::set1(cut);
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      const uint32_t bits = kept<kMagnitude>(score<kMagnitude>(p + i), bound, ties);
      if (masked != nullptr) {
        V::storeu(masked + i, V::keep(V::loadu(weight + i), bits));
      } else {
#pragma GCC unroll 4
        for (int part = 0; part < kLanes / 4; ++part) {  // four bits -> four bytes of 0 or 1
          const uint32_t bytes = (bits >> 4 * part & 15) * 0x00204081u & 0x01010101u;
          __builtin_memcpy(mask + i + 4 * part, &bytes, 4);
        }
      }
    }
    for (; i < n; ++i) {
      const float x = score1<kMagnitude>(p + i);
      const bool keep = x > cut || (x == cut && (*ties)-- > 0);
      if (masked != nullptr)
        masked[i] = keep ? weight[i] : 0;
      else
        mask[i] = keep;
    }
  }

  static void mask(const float* p, int64_t n, bool magnitude, float cut, int64_t* ties, const float* weight, float* masked, uint8_t* mask) {
    if (magnitude)
      mask_of<true>(p, n, cut, ties, weight, masked, mask);
    else
      mask_of<false>(p, n, cut, ties, weight, masked, mask);
  }
};

}  // namespace
}  // namespace sk

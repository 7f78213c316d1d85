// Keys first: each query lists keys of its own, and many rows of a segment list the same ones. A chunk of keys is laid out once and
// multiplied with all rows that list it, wherever these lie; a row's state waits in memory between its chunks. Keys and dims lie in lanes,
// rows are broadcast, so that no row is ever transposed:
//
//   lay out  K[key][d] to panels [d][W], V[key][d] to panels [key][W]      W = 2 L; once a chunk
//   scores   S[row][W] = Q[row][:] . K[:][W]                               kGroup rows at a time
//   rules    soft cap, bias, cuts                                          where there are any
//   softmax  max over keys, exp2, sum                                      L rows at a time, so that lanes are reduced by transposition
//   output   O[row][W] = O * alpha + P[row][:] V[:][W]
//
// Floor: as of many rows (many_rows.h), 4 rows keys d FLOP at FMA peak and an exponential a row and key. To that come, a chunk, its layout,
// and a chunk and row, one pass over its query and its output.
#pragma once

#include "tile.h"

namespace sk {
namespace {

// What does not depend on the type of the elements.
template <class V>
struct KeysFirstLoops {
  using F32 = typename V::F32;
  static constexpr int L = V::kLanes;
  static constexpr int W = 2 * L;
  static constexpr int kGroup = 6;     // rows in registers: 12 accumulators, 2 of the panel, 1 broadcast
  static constexpr int kRows = 3 * L;  // rows that each panel meets before the next one: whole groups, and whole vectors
  static_assert(kRows % kGroup == 0 && W <= kAttendRowPadding && kRows <= kAttendSegmentScores, "buffers fit");

  static inline void score_group(const float* const* queries, const float* panel, int d, float* scores) {
    F32 acc[kGroup][2];
    const float* q[kGroup];
#pragma GCC unroll 8
    for (int r = 0; r < kGroup; ++r) acc[r][0] = acc[r][1] = V::zero(), q[r] = queries[r];
    for (int i = 0; i < d; ++i) {
      const F32 k0 = V::load(panel + i * W), k1 = V::load(panel + i * W + L);
#pragma GCC unroll 8
      for (int r = 0; r < kGroup; ++r) {
        const F32 x = V::set1(q[r][i]);
        acc[r][0] = V::fma(x, k0, acc[r][0]);
        acc[r][1] = V::fma(x, k1, acc[r][1]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kGroup; ++r) V::store(scores + r * kAttendKeys, acc[r][0]), V::store(scores + r * kAttendKeys + L, acc[r][1]);
  }

  static inline void value_group(const float* panel, int n, const float* weights, const float* alpha, float* const* output, int first) {
    F32 acc[kGroup][2];
#pragma GCC unroll 8
    for (int r = 0; r < kGroup; ++r) {
      const F32 a = V::set1(alpha[r]);
      acc[r][0] = V::load(output[r] + first) * a;
      acc[r][1] = V::load(output[r] + first + L) * a;
    }
    for (int j = 0; j < n; ++j) {
      const F32 v0 = V::load(panel + j * W), v1 = V::load(panel + j * W + L);
#pragma GCC unroll 8
      for (int r = 0; r < kGroup; ++r) {
        const F32 p = V::set1(weights[r * kAttendKeys + j]);
        acc[r][0] = V::fma(p, v0, acc[r][0]);
        acc[r][1] = V::fma(p, v1, acc[r][1]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kGroup; ++r) V::store(output[r] + first, acc[r][0]), V::store(output[r] + first + L, acc[r][1]);
  }

  // Positions of a chunk as its rows meet them: key j is seen where low <= reach[j] and position[j] <= high.
  struct Cut {
    alignas(64) int32_t position[kAttendKeys], reach[kAttendKeys], least[L], most[L];
    int32_t from = INT32_MAX, to = INT32_MIN;  // a row that sees both sees all

    Cut(const AttendSegment& s, const AttendKeys& keys) {
      if (!keys.cut) return;
      for (int l = 0; l < L; ++l) least[l] = INT32_MIN, most[l] = INT32_MAX;
      for (int j = 0; j < keys.count; ++j) {
        position[j] = keys.position[j];
        reach[j] = position[j] < s.sink_tokens ? INT32_MAX : position[j];
        from = reach[j] < from ? reach[j] : from;
        to = position[j] > to ? position[j] : to;
      }
      for (int j = keys.count; j < round_up_int(keys.count, L); ++j) position[j] = reach[j] = 0;
    }

    void apply(float* scores, int n, int32_t low, int32_t high) const {
      if (low <= from && to <= high) return;
      for (int j = 0; j < n; j += L) {
        const F32 before = V::within(V::load(scores + j), position + j, most, high);
        V::store(scores + j, V::within(before, least, reach + j, low));
      }
    }
  };

  static inline void apply_rules(const AttendSegment& s, const AttendKeys& keys, const Cut& cut, int row, float* scores) {
    const int padded = round_up_int(keys.count, L);
    if (s.softcap > 0) cap_scores<V>(scores, padded, s.softcap);
    if (keys.bias != nullptr)
      for (int j = 0; j < padded; j += L) V::store(scores + j, V::load(scores + j) + V::loadu(keys.bias + j));
    if (keys.cut) cut.apply(scores, padded, s.low[row], s.high[row]);
    for (int j = keys.count; j < padded; ++j) scores[j] = -__builtin_inff();
  }

  // Scores of L rows to weights, n of them each (a multiple of L). alpha: what their output has to be multiplied with, because the maximum
  // has changed.
  static inline void softmax(const AttendSegment& s, const int32_t* rows, float* scores, int n, float* alpha) {
    alignas(64) float old[L], sum[L], max[L];
    F32 lanes[L];
    for (int r = 0; r < L; ++r) {
      const float* row = scores + r * kAttendKeys;
      F32 m = V::load(row);
      for (int j = L; j < n; j += L) m = V::max(m, V::load(row + j));
      lanes[r] = m;
      old[r] = s.max[rows[r]], sum[r] = s.sum[rows[r]];
    }
    V::transpose(lanes);
    F32 top = V::load(old);
    for (int r = 0; r < L; ++r) top = V::max(top, lanes[r]);
    V::store(max, top);
    for (int r = 0; r < L; ++r) {
      float* row = scores + r * kAttendKeys;
      const F32 m = V::set1(max[r]);
      F32 total = V::zero();
      for (int j = 0; j < n; j += L) {
        const F32 p = exp2<V>(V::load(row + j) - m);
        V::store(row + j, p);
        total = total + p;
      }
      lanes[r] = total;
    }
    const F32 a = exp2<V>(V::load(old) - top);
    V::store(alpha, a);
    V::store(sum, V::fma(V::load(sum), a, V::sums(lanes)));
    for (int r = 0; r < L; ++r) s.max[rows[r]] = max[r], s.sum[rows[r]] = sum[r];
  }

  // Up to kRows rows and a chunk that is laid out. Entries of rows behind count are the segment's spare row.
  static void meet(const AttendSegment& s, const AttendKeys& keys, const Cut& cut, const int32_t* rows, int count) {
    alignas(64) float alpha[kRows];
    const float* queries[kRows];
    float* output[kRows];
    const int n = keys.count;
    for (int r = 0; r < kRows; ++r) {
      queries[r] = s.queries + int64_t{rows[r]} * s.stride;
      output[r] = s.output + int64_t{rows[r]} * s.stride;
    }
    for (int j = 0; j < n; j += W)
      for (int r = 0; r < count; r += kGroup) score_group(queries + r, s.keys + j * s.d, s.d, s.scores + r * kAttendKeys + j);
    for (int r = 0; r < count; ++r) apply_rules(s, keys, cut, rows[r], s.scores + r * kAttendKeys);
    for (int r = 0; r < count; r += L) softmax(s, rows + r, s.scores + r * kAttendKeys, round_up_int(n, L), alpha + r);
    for (int i = 0; i < s.d; i += W)
      for (int r = 0; r < count; r += kGroup) value_group(s.values + i * n, n, s.scores + r * kAttendKeys, alpha + r, output + r, i);
  }

  static void fold(const AttendSegment& s, const AttendKeys& keys, const int32_t* listed, int count) {
    const Cut cut(s, keys);
    int32_t ids[kRows];
    for (int first = 0; first < count; first += kRows) {
      for (int r = 0; r < kRows; ++r) ids[r] = first + r < count ? listed[first + r] : s.rows;
      meet(s, keys, cut, ids, count - first < kRows ? count - first : kRows);
    }
  }
};

template <class V, class E>
struct KeysFirst {
  using F32 = typename V::F32;
  using Loops = KeysFirstLoops<V>;
  static constexpr int L = Loops::L;
  static constexpr int W = Loops::W;

  static void take(const AttendSegment& s, int row, const void* q) {
    float* to = s.queries + int64_t{row} * s.stride;
    for (int i = 0; i < s.d; i += L) V::store(to + i, load_row<V, E>(q, i, s.d) * V::set1(s.scale));
  }

  static void lay_out(const AttendSegment& s, const AttendKeys& keys) {
    const int n = keys.count;
    for (int j = 0; j < round_up_int(n, W); j += L) {
      float* panel = s.keys + j / W * W * s.d + j % W;
      for (int i = 0; i < s.d; i += L) {
        F32 a[L];
        for (int r = 0; r < L; ++r) a[r] = j + r < n ? load_row<V, E>(keys.k[j + r], i, s.d) : V::zero();
        V::transpose(a);
        for (int r = 0; r < L && i + r < s.d; ++r) V::store(panel + (i + r) * W, a[r]);
      }
    }
    for (int j = 0; j < n; ++j)
      for (int i = 0; i < round_up_int(s.d, W); i += L)
        V::store(s.values + (i / W * n + j) * W + i % W, i < s.d ? load_row<V, E>(keys.v[j], i, s.d) : V::zero());
  }

  static void fold(const AttendSegment& s, const AttendKeys& keys, const int32_t* rows, int count) {
    lay_out(s, keys);
    Loops::fold(s, keys, rows, count);
  }

  static constexpr AttendKernel kernel(const char* name, const char* dtype) {
    return {name, dtype, L, nullptr, nullptr, nullptr, &take, &fold};
  }
};

}  // namespace
}  // namespace sk

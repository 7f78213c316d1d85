// Many rows: a vector holds one element of L rows, so that nothing is ever reduced across lanes. W = 2 L rows are a panel.
//
//   scores   S[key][W] = K[key][:] . Q[:][W]               K broadcast, the panel of queries [d][W] stays in L1
//   rules    soft cap, bias, cuts                          where there are any; may end here where weights would vanish
//   softmax  max over keys, exp2, sum                      lane by lane
//   output   O[dim][W] = O * alpha + V[:][dim] . P[:][W]   V broadcast, the panel of weights [keys][W] stays in L1
//
// Both products read K and V where they lie: no packing, whatever the keys of a chunk are (tiles, columns, pages). Per FMA they do 2/3 of a
// load, so the FMA ports decide. Floor: 4 rows keys d FLOP at FMA peak, and an exponential (6 operations on those ports) a row and key.
#pragma once

#include "tile.h"

namespace sk {
namespace {

template <class V, class E, int kGroup>
struct ManyRows {
  using F32 = typename V::F32;
  static constexpr int L = V::kLanes;
  static constexpr int W = 2 * L;

  // kGroup keys or dims share the registers (2 kGroup accumulators), or 2/3 or 1/3 of that: rest() cuts n into whole and 2/3 groups, so
  // that no group has too few accumulators to hide the latency of the FMA, but where n itself is too small.
  static_assert(kGroup % 3 == 0 && kGroup / 3 % 2 == 0, "groups are cut in thirds");
  static constexpr int kTwoThirds = kGroup * 2 / 3;

  template <int kN>
  static inline void score_group(const float* const* keys, const float* queries, int d, float* scores) {
    F32 acc[kN][2];
    const float* k[kN];
#pragma GCC unroll 16
    for (int r = 0; r < kN; ++r) acc[r][0] = acc[r][1] = V::zero(), k[r] = keys[r];
    for (int i = 0; i < d; ++i) {
      const F32 q0 = V::load(queries + i * W), q1 = V::load(queries + i * W + L);
#pragma GCC unroll 16
      for (int r = 0; r < kN; ++r) {
        const F32 w = V::set1(k[r][i]);
        acc[r][0] = V::fma(w, q0, acc[r][0]);
        acc[r][1] = V::fma(w, q1, acc[r][1]);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kN; ++r) V::store(scores + r * W, acc[r][0]), V::store(scores + r * W + L, acc[r][1]);
  }

  // The last group may compute up to kGroup / 3 - 1 keys too many: entries behind the last key may be read, scores behind it written.
  static void score(const float* const* keys, int n, const float* queries, int d, float* scores) {
    int j = 0;
    for (; n - j >= kGroup && n - j != 2 * kTwoThirds; j += kGroup) score_group<kGroup>(keys + j, queries, d, scores + j * W);
    for (; n - j > kGroup / 3; j += kTwoThirds) score_group<kTwoThirds>(keys + j, queries, d, scores + j * W);
    if (n > j) score_group<kGroup / 3>(keys + j, queries, d, scores + j * W);
  }

  template <int kN>
  static inline void value_group(const float* const* values, int first, const float* weights, int n, F32 alpha0, F32 alpha1,
                                 float* output) {
    F32 acc[kN][2];
#pragma GCC unroll 16
    for (int r = 0; r < kN; ++r) {
      acc[r][0] = V::load(output + r * W) * alpha0;
      acc[r][1] = V::load(output + r * W + L) * alpha1;
    }
    for (int j = 0; j < n; ++j) {
      const F32 p0 = V::load(weights + j * W), p1 = V::load(weights + j * W + L);
      const float* v = values[j] + first;
#pragma GCC unroll 16
      for (int r = 0; r < kN; ++r) {
        const F32 w = V::set1(v[r]);
        acc[r][0] = V::fma(w, p0, acc[r][0]);
        acc[r][1] = V::fma(w, p1, acc[r][1]);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kN; ++r) V::store(output + r * W, acc[r][0]), V::store(output + r * W + L, acc[r][1]);
  }

  // d is a multiple of 8, so of kGroup / 3 and never a single third.
  static void add_values(const float* const* values, const float* weights, int n, int d, F32 alpha0, F32 alpha1, float* output) {
    int i = 0;
    for (; d - i >= kGroup && d - i != 2 * kTwoThirds; i += kGroup)
      value_group<kGroup>(values, i, weights, n, alpha0, alpha1, output + i * W);
    for (; i < d; i += kTwoThirds) value_group<kTwoThirds>(values, i, weights, n, alpha0, alpha1, output + i * W);
  }

  // Soft cap and bias for the first n keys, -infinity where a row does not see a key.
  static void apply_rules(const AttendBlock& b, const AttendKeys& keys, int row, int n, float* scores) {
    if (b.softcap > 0) cap_scores<V>(scores, n * W, b.softcap);
    if (keys.bias != nullptr)
      for (int j = 0; j < n; ++j) {
        const F32 bias = V::set1(keys.bias[j]);
        V::store(scores + j * W, V::load(scores + j * W) + bias), V::store(scores + j * W + L, V::load(scores + j * W + L) + bias);
      }
    if (!keys.cut) return;
    int32_t from = b.low[row], to = b.high[row];  // what every row of the panel sees
    for (int i = 1; i < W; ++i) {
      from = b.low[row + i] > from ? b.low[row + i] : from;
      to = b.high[row + i] < to ? b.high[row + i] : to;
    }
    for (int j = 0; j < n; ++j) {
      const int32_t position = keys.position[j];
      const int32_t* low = position < b.sink_tokens ? b.lowest : b.low + row;
      if (position <= to && (position >= from || low == b.lowest)) continue;
      for (int v = 0; v < W; v += L)
        V::store(scores + j * W + v, V::within(V::load(scores + j * W + v), low + v, b.high + row + v, position));
    }
  }

  // Scores to weights. alpha: what output has to be multiplied with, because the maximum has changed.
  static inline void softmax(float* scores, int n, float* max, float* sum, F32* alpha0, F32* alpha1) {
    const F32 old0 = V::load(max), old1 = V::load(max + L);
    F32 m0 = old0, m1 = old1;
    for (int j = 0; j < n; ++j) m0 = V::max(m0, V::load(scores + j * W)), m1 = V::max(m1, V::load(scores + j * W + L));
    F32 s0 = V::zero(), s1 = V::zero();
    for (int j = 0; j < n; ++j) {
      const F32 p0 = exp2<V>(V::load(scores + j * W) - m0), p1 = exp2<V>(V::load(scores + j * W + L) - m1);
      V::store(scores + j * W, p0), V::store(scores + j * W + L, p1);
      s0 = s0 + p0, s1 = s1 + p1;
    }
    *alpha0 = exp2<V>(old0 - m0), *alpha1 = exp2<V>(old1 - m1);
    V::store(max, m0), V::store(max + L, m1);
    V::store(sum, V::fma(V::load(sum), *alpha0, s0)), V::store(sum + L, V::fma(V::load(sum + L), *alpha1, s1));
  }

  // Whether all n scores of each row lie more than `skip` below the row's maximum so far.
  static inline bool vanishes(const float* scores, int n, const float* max, float skip, int rows) {
    F32 m0 = V::set1(-__builtin_inff()), m1 = m0;
    for (int j = 0; j < n; ++j) m0 = V::max(m0, V::load(scores + j * W)), m1 = V::max(m1, V::load(scores + j * W + L));
    const F32 s = V::set1(skip);
    const uint32_t below = V::lanes_greater(V::load(max), m0 + s) | V::lanes_greater(V::load(max + L), m1 + s) << L;
    const uint32_t wanted = rows >= W ? ~0u >> (32 - W) : (1u << rows) - 1;  // behind the last row are zeros
    return (below & wanted) == wanted;
  }

  static void chunk(const AttendBlock& b, const AttendKeys& keys) {
    float* scores = b.scores;
    Staged<V, E> staged_k, staged_v;
    const float *const *k = reinterpret_cast<const float* const*>(keys.k), *const *v = reinterpret_cast<const float* const*>(keys.v);
    if (sizeof(typename E::T) != sizeof(float) || (keys.aliased && b.rows > W)) {
      staged_k.copy(keys.k, keys.count, b.d, b.keys);
      staged_v.copy(keys.v, keys.count, b.d, b.values);
      k = staged_k.rows, v = staged_v.rows;
    }
    for (int row = 0; row < b.rows; row += W) {
      int n = keys.count;
      if (keys.cut) {  // what no row of the panel sees any more: half of a tile on the diagonal
        int32_t last = b.high[row];
        for (int i = 1; i < W; ++i) last = b.high[row + i] > last ? b.high[row + i] : last;
        while (n > 0 && keys.position[n - 1] > last) --n;
        if (n == 0) continue;
      }
      score(k, n, b.queries + row * b.d, b.d, scores);
      apply_rules(b, keys, row, n, scores);
      if (b.skip > 0 && vanishes(scores, n, b.max + row, b.skip, b.rows - row)) continue;
      F32 alpha0, alpha1;
      softmax(scores, n, b.max + row, b.sum + row, &alpha0, &alpha1);
      add_values(v, scores, n, b.d, alpha0, alpha1, b.output + row * b.d);
    }
  }

  static void begin(const AttendBlock& b, const void* const* q) {
    const F32 scale = V::set1(b.scale);
    for (int row = 0; row < b.rows; row += W) {
      float* panel = b.queries + row * b.d;
      for (int v = 0; v < W; v += L)
        for (int i = 0; i < b.d; i += L) {
          F32 a[L];
          for (int r = 0; r < L; ++r) a[r] = row + v + r < b.rows ? load_row<V, E>(q[row + v + r], i, b.d) * scale : V::zero();
          V::transpose(a);
          for (int j = 0; j < L && i + j < b.d; ++j) V::store(panel + (i + j) * W + v, a[j]);
        }
      float* output = b.output + row * b.d;
      for (int i = 0; i < b.d * W; i += L) V::store(output + i, V::zero());
    }
  }

  static void finish(const AttendBlock& b, const float* factor, float* const* to) {
    for (int row = 0; row < b.rows; row += L) {
      const float* panel = b.output + row / W * W * b.d + row % W;
      const F32 f = V::loadu(factor + row);
      for (int i = 0; i < b.d; i += L) {
        F32 a[L];
        for (int j = 0; j < L; ++j) a[j] = i + j < b.d ? V::load(panel + (i + j) * W) * f : V::zero();
        V::transpose(a);
        for (int r = 0; r < L && row + r < b.rows; ++r) store_row<V>(to[row + r], i, b.d, a[r]);
      }
    }
  }
};

}  // namespace
}  // namespace sk

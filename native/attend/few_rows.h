// Few rows (decoding): a vector holds L dims of one row. The keys and values are read once, from memory, and that is the floor: bytes of K
// and V over bandwidth. Rows are worked on in groups of kRows = 1, 2 or 4 (the group of 3 has a row of zeros), so that the query heads of
// a group share each pass. Keys go through in phases of kPhase, few enough for their K and V to be in L1 together:
//
//   scores   acc[key][row] += K[key] * Q[row], L sums at a time     added up across lanes once a key and row
//   rules    soft cap, bias, cuts                                   where there are any
//   softmax  in [key][row] order, whole vectors                     the output is only scaled when a maximum has grown
//   output   O[row] += P[key][row] V[key]
//
// Lines are fetched ahead (ahead.h), a few at a time between the products. Lambdas are forced inline: GCC 12 called some of them, with the
// accumulators in memory.
#pragma once

#include "ahead.h"
#include "tile.h"

namespace sk {
namespace {

template <class V, class E, int kRows>
struct FewRows {
  using F32 = typename V::F32;
  using T = typename E::T;
  static constexpr int L = V::kLanes;
  static constexpr int kKeys = L / kRows;
  static constexpr int kVectors = L == 16 && kRows == 4 ? 4 : 8 / kRows;  // of values: 8 accumulators, 16 of AVX-512's 32 registers
  static constexpr int kPhase = kKeys < 8 ? 8 : kKeys;
  using Ahead = FetchAhead<V, T, kPhase>;
  using Streams = typename Ahead::Streams;
  static constexpr int kLine = Ahead::kLine;
  static_assert(kPhase % kKeys == 0 && Ahead::kHalf % kPhase == 0, "a phase is whole steps, half a unit whole phases");

  // Half of the lines of keys to come are fetched while keys are scored, half while values are added up.
  template <bool kTogether>
  static inline void score(const void* const* keys, int n, const float* queries, int d, float* scores, Streams* ahead) {
    for (int j = 0; j < n; j += kKeys) {
      F32 acc[L];
      const T* k[kKeys];
#pragma GCC unroll 16
      for (int c = 0; c < L; ++c) acc[c] = V::zero();
#pragma GCC unroll 16
      for (int c = 0; c < kKeys; ++c) k[c] = static_cast<const T*>(keys[j + c]);
      const auto step = [&](int i) __attribute__((always_inline)) {
        if (kKeys < kRows) {  // the fewer of the two stay in registers
          F32 key[kKeys];
#pragma GCC unroll 4
          for (int c = 0; c < kKeys; ++c) key[c] = E::load(k[c] + i);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r) {
            const F32 q = V::held(V::load(queries + r * d + i));
#pragma GCC unroll 4
            for (int c = 0; c < kKeys; ++c) acc[c * kRows + r] = V::fma(key[c], q, acc[c * kRows + r]);
          }
          return;
        }
        F32 q[kRows];
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) q[r] = V::load(queries + r * d + i);
#pragma GCC unroll 16
        for (int c = 0; c < kKeys; ++c) {
          const F32 key = E::load(k[c] + i);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r) acc[c * kRows + r] = V::fma(key, q[r], acc[c * kRows + r]);
        }
      };
      int i = 0;
      for (; i + kLine <= d; i += kLine) {
#pragma GCC unroll 16
        for (int c = 0; c < kKeys; ++c) {
          if (!kTogether) Ahead::scattered(keys + j + c, i);
          if (kTogether && (kKeys > 1 ? c : j) % 2 == 0) ahead->fetch();
        }
#pragma GCC unroll 4
        for (int l = 0; l < kLine; l += L) step(i + l);
      }
      for (; i < d; i += L) step(i);
      V::store(scores + j * kRows, V::sums(acc));
    }
  }

  template <int kV, bool kTogether>
  static inline void value_group(const void* const* values, int i, const float* weights, int n, int d, float* output, Streams* ahead) {
    constexpr int kStep = kV * L;  // elements
    F32 acc[kRows][kV];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v) acc[r][v] = V::load(output + r * d + i + v * L);
    // As many lines as the step reads: of two steps, the first asks for its even ones and the second for its odd ones.
    constexpr int kLines = kStep < kLine ? 1 : kStep / kLine, kShare = kStep < kLine ? kLine / kStep : 1;
    const auto fetch = [&](int j, int odd) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int t = 0; t < kLines; ++t)
        if (!kTogether) Ahead::scattered(values + j, i + t * kLine);
#pragma GCC unroll 8
      for (int t = odd; t < kLines; t += 2)
        if (kTogether && (kShare == 1 || j % (2 * kShare) == 0)) ahead->fetch();
    };
    const auto step = [&](int j) __attribute__((always_inline)) {
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
    };
    int j = 0;
#pragma GCC unroll 1  // GCC would unroll a whole phase, with addresses in memory
    for (; j + 2 <= n; j += 2) fetch(j, 0), step(j), fetch(j + 1, 1), step(j + 1);
#pragma GCC unroll 1
    for (; j < n; ++j) step(j);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v) V::store(output + r * d + i + v * L, acc[r][v]);
  }

  // Whether one of the rows does not see one of the keys: hardly ever so where one query decodes.
  static bool is_cut(const AttendBlock& b, const AttendKeys& keys, int row) {
    int32_t from = INT32_MIN, to = INT32_MAX;  // what every row sees
    for (int r = row; r < row + kRows; ++r) from = b.low[r] > from ? b.low[r] : from, to = b.high[r] < to ? b.high[r] : to;
    bool some = false;
    for (int j = 0; j < keys.count; ++j) some |= keys.position[j] > to || (keys.position[j] < from && keys.position[j] >= b.sink_tokens);
    return some;
  }

  // Soft cap and bias for keys [first, first + n), -infinity where a row does not see a key and behind the last key. Called, as is
  // softmax(): once a phase costs nothing, and phases are compiled twice.
  __attribute__((noinline)) static void apply_rules(const AttendBlock& b, const AttendKeys& keys, bool cut, int first, int n, int row,
                                                    float* scores) {
    const int padded = round_up_int(n, kKeys);
    if (b.softcap > 0) cap_scores<V>(scores, padded * kRows, b.softcap);
    if (keys.bias != nullptr)
      for (int j = 0; j < n; ++j)
        for (int r = 0; r < kRows; ++r) scores[j * kRows + r] += keys.bias[first + j];
    if (cut)
      for (int j = 0; j < n; ++j)
        for (int r = 0; r < kRows; ++r) {
          const int32_t position = keys.position[first + j];
          if (position > b.high[row + r] || (position < b.low[row + r] && position >= b.sink_tokens))
            scores[j * kRows + r] = -__builtin_inff();
        }
    for (int i = n * kRows; i < padded * kRows; ++i) scores[i] = -__builtin_inff();
  }

  // The rows of a chunk under way: lane l belongs to row l % kRows.
  struct State {
    F32 max, sum;  // sum: of this chunk, lane by lane
  };

  // A maximum has grown: what was summed so far shrinks.
  static void grow(F32 most, State* state, float* max, float* sum, float* output, int d) {
    alignas(64) float lanes[L];
    V::store(lanes, most);
    for (int l = 0; l < L; ++l) max[l % kRows] = lanes[l] > max[l % kRows] ? lanes[l] : max[l % kRows];
    for (int l = 0; l < L; ++l) lanes[l] = max[l % kRows];
    const F32 top = V::load(lanes), alpha = exp2<V>(state->max - top);
    state->max = top;
    state->sum = state->sum * alpha;
    V::store(lanes, alpha);
    for (int r = 0; r < kRows; ++r) {
      sum[r] *= lanes[r];
      for (int i = 0; i < d; i += L) V::store(output + r * d + i, V::load(output + r * d + i) * V::set1(lanes[r]));
    }
  }

  // Scores to weights, n of them (a multiple of L).
  __attribute__((noinline)) static void softmax(float* scores, int n, State* state, float* max, float* sum, float* output, int d) {
    F32 most = state->max;
    for (int i = 0; i < n; i += L) most = V::max(most, V::load(scores + i));
    if (V::lanes_greater(most, state->max) != 0) grow(most, state, max, sum, output, d);
    for (int i = 0; i < n; i += L) {
      const F32 p = exp2<V>(V::load(scores + i) - state->max);
      V::store(scores + i, p);
      state->sum = state->sum + p;
    }
  }

  // A chunk and its rows [row, row + kRows).
  struct Pass {
    const float* queries;
    float *output, *max, *sum, *scores;
    int row, d;
    bool cut;
    State state;
  };

  // Keys [first, first + n) of the chunk.
  template <bool kTogether>
  static void phase(const AttendBlock& b, const AttendKeys& keys, int first, int n, Pass* p, Streams* ahead) {
    const int d = p->d;
    score<kTogether>(keys.k + first, n, p->queries, d, p->scores, ahead);
    apply_rules(b, keys, p->cut, first, n, p->row, p->scores);
    softmax(p->scores, round_up_int(n, kKeys) * kRows, &p->state, p->max, p->sum, p->output, d);
    int i = 0;
    for (; i + kVectors * L <= d; i += kVectors * L) value_group<kVectors, kTogether>(keys.v + first, i, p->scores, n, d, p->output, ahead);
    for (; i < d; i += L) value_group<1, kTogether>(keys.v + first, i, p->scores, n, d, p->output, ahead);
  }

  // Keys [first, first + n) of the chunk: phases of the two halves in turn, in the order that suits pages.
  template <bool kWhole>
  static void unit(const AttendBlock& b, const AttendKeys& keys, int first, int n, Pass* p, Streams ahead) {
    const void *const *k = keys.k + first, *const *v = keys.v + first;
    int done = 0;
    for (int i = 0; i < Ahead::kHalf; i += kPhase)
      for (int j = i; j < n; j += Ahead::kHalf, done += kPhase) {
        const int count = n - j < kPhase ? n - j : kPhase;
        if (!kWhole) ahead = Streams(k, v, p->d, done, kPhase);
        kWhole || ahead.together ? phase<true>(b, keys, first + j, count, p, &ahead) : phase<false>(b, keys, first + j, count, p, &ahead);
      }
  }

  // Rows [row, row + kRows) of the block; d is a multiple of L.
  static void chunk(const AttendBlock& b, const AttendKeys& keys, int row, int d) {
    alignas(64) float lanes[L];
    for (int l = 0; l < L; ++l) lanes[l] = b.max[row + l % kRows];
    Pass pass = {
        b.queries + row * d,        b.output + row * d, b.max + row, b.sum + row, b.scores, row, d, keys.cut && is_cut(b, keys, row),
        {V::load(lanes), V::zero()}};
    for (int first = 0; first < keys.count; first += Ahead::kUnit) {
      const int n = keys.count - first < Ahead::kUnit ? keys.count - first : Ahead::kUnit;
      const Streams ahead(keys.k + first, keys.v + first, d, 0, Ahead::kUnit);
      ahead.together ? unit<true>(b, keys, first, n, &pass, ahead) : unit<false>(b, keys, first, n, &pass, ahead);
    }
    V::store(lanes, pass.state.sum);
    for (int l = 0; l < L; ++l) pass.sum[l % kRows] += lanes[l];
  }
};

}  // namespace
}  // namespace sk

// Products of a few queries and short keys that lie channel by channel.
//
//   channels -> loads of kVectors vectors of keys, a broadcast of each query, kRows x kVectors accumulators; or the greatest of the rows
//
// Floor: 2 rows keys d FLOP at FMA peak, or the bytes of the keys once. Each vector of keys serves all rows: (kVectors + kRows) loads for
// kRows kVectors products.
#pragma once

#include "../simd/element.h"

namespace sk {
namespace {

template <class V>
struct Channels {
  using F32 = typename V::F32;
  static constexpr int L = V::kLanes, kRows = 4, kVectors = 3;

  template <class K>
  struct Strip {
    const float* q;
    int64_t q_stride;
    const K* k;
    int64_t stride, d;
    float scale;
    float* out;
    int64_t out_stride;
  };

  // How the rows of a pass are written: each to its own, or the greatest of them, or that and what is there.
  enum class To { kEach, kGreatest, kGreater };

  // kCount rows and kN vectors of keys from key j on, or the last `rest` keys.
  template <int kCount, int kN, bool kRest, To kTo, class K>
  static inline void step(const Strip<K>& s, int64_t j, int64_t rest) {
    F32 acc[kCount][kN];
#pragma GCC unroll 4
    for (int i = 0; i < kCount; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < kN; ++v) acc[i][v] = V::zero();
    const K* k = s.k + j;
    for (int64_t c = 0; c < s.d; ++c, k += s.stride) {
      F32 x[kN];
#pragma GCC unroll 4
      for (int v = 0; v < kN; ++v) x[v] = kRest ? load_some<V>(k, rest) : load_any<V>(k + v * L);
#pragma GCC unroll 4
      for (int i = 0; i < kCount; ++i) {
        const F32 a = V::set1(s.q[i * s.q_stride + c]);
#pragma GCC unroll 4
        for (int v = 0; v < kN; ++v) acc[i][v] = V::fma(a, x[v], acc[i][v]);
      }
    }
    const F32 scale = V::set1(s.scale);
#pragma GCC unroll 4
    for (int v = 0; v < kN; ++v) {
      float* const to = s.out + j + v * L;
      F32 most = acc[0][v] * scale;
      if (kTo == To::kGreater) most = V::max(most, kRest ? load_some<V>(to, rest) : V::loadu(to));
#pragma GCC unroll 4
      for (int i = 0; i < kCount; ++i) {
        const F32 score = acc[i][v] * scale;
        if (kTo == To::kEach)
          kRest ? store_some<V>(to + i * s.out_stride, score, rest) : V::storeu(to + i * s.out_stride, score);
        else if (i > 0)
          most = V::max(score, most);
      }
      if (kTo != To::kEach) kRest ? store_some<V>(to, most, rest) : V::storeu(to, most);
    }
  }

  template <int kCount, To kTo, class K>
  static void rows_of(const Strip<K>& s, int64_t keys) {
    int64_t j = 0;
    for (; j + kVectors * L <= keys; j += kVectors * L) step<kCount, kVectors, false, kTo>(s, j, 0);
    for (; j + L <= keys; j += L) step<kCount, 1, false, kTo>(s, j, 0);
    if (j < keys) step<kCount, 1, true, kTo>(s, j, keys - j);
  }

  template <To kTo, class K>
  static void some_rows(const Strip<K>& s, int64_t rows, int64_t keys) {
    if (rows == 4) return rows_of<4, kTo>(s, keys);
    if (rows == 3) return rows_of<3, kTo>(s, keys);
    if (rows == 2) return rows_of<2, kTo>(s, keys);
    rows_of<1, kTo>(s, keys);
  }

  // So many keys stay in L1 while they meet one row after the other.
  static constexpr int64_t kBlock = 8 * kVectors * L;

  template <class K>
  static void channels(const float* q, int64_t q_stride, int64_t rows, const void* k, int64_t stride, int64_t keys, int64_t d, float scale,
                       bool greatest, float* out, int64_t out_stride) {
    const int64_t block = rows > kRows ? kBlock : keys;
    for (int64_t j = 0; j < keys; j += block)
      for (int64_t row = 0; row < rows; row += kRows) {
        const int64_t n = rows - row < kRows ? rows - row : kRows, width = keys - j < block ? keys - j : block;
        const Strip<K> s = {
            q + row * q_stride, q_stride, static_cast<const K*>(k) + j, stride, d, scale, out + (greatest ? 0 : row * out_stride) + j,
            out_stride};
        if (!greatest)
          some_rows<To::kEach>(s, n, width);
        else if (row == 0)
          some_rows<To::kGreatest>(s, n, width);
        else
          some_rows<To::kGreater>(s, n, width);
      }
  }
};

}  // namespace
}  // namespace sk

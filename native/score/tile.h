// Products of queries and keys, and what is done with rows of them.
//
//   pack    W keys -> [d][W]: keys in lanes
//   tile    rows of q broadcast over a panel: kRows x 2 accumulators               floor: 2 rows keys d FLOP at FMA peak
//   channels  (channels.h) few queries, short keys that lie channel by channel
//   few     few queries, keys where they are: dims in lanes, added up once a key   floor: the bytes of the keys, once
//
// Few queries leave the keys to the hardware, which fetches ahead best what is read as a few long streams: kStreams keys that are worked on
// together come from as many quarters of the keys, not one behind the other.
#pragma once

#include "../simd/element.h"
#include "../simd/exp.h"
#include "channels.h"
#include "kernel.h"

namespace sk {
namespace {

template <class V, int kRows>
struct Scores {
  using F32 = typename V::F32;
  static constexpr int kLanes = V::kLanes, kPanel = 2 * kLanes;

  // Short keys come from memory faster than packing alone would ask for them: a page of them is on its way.
  static constexpr int64_t kShort = 16, kShortAhead = 1024, kLine = 16;

  static void pack(const float* k, int64_t stride, int64_t keys, int64_t d, float* panel) {
    if (stride == d && d <= kShort)
      for (int64_t i = 0; i < kPanel * d; i += kLine) V::prefetch(k + kShortAhead + i);
    for (int half = 0; half < 2; ++half, k += kLanes * stride, keys -= kLanes) {
      float* to = panel + half * kLanes;
      int64_t c = 0;
      for (; keys >= kLanes && c + kLanes <= d; c += kLanes) {
        F32 r[kLanes];
#pragma GCC unroll 16
        for (int l = 0; l < kLanes; ++l) r[l] = V::loadu(k + l * stride + c);
        V::transpose(r);
#pragma GCC unroll 16
        for (int l = 0; l < kLanes; ++l) V::store(to + (c + l) * kPanel, r[l]);
      }
      for (; c < d; ++c)
        for (int l = 0; l < kLanes; ++l) to[c * kPanel + l] = l < keys ? k[l * stride + c] : 0;
    }
  }

  template <int kCount>
  static inline void rows_of(const float* q, int64_t q_stride, const float* panel, int64_t d, float scale, float* out, int64_t out_stride,
                             int64_t keys) {
    F32 acc[kCount][2];
#pragma GCC unroll 12
    for (int i = 0; i < kCount; ++i) acc[i][0] = acc[i][1] = V::zero();
    for (int64_t c = 0; c < d; ++c, panel += kPanel) {
      const F32 k0 = V::loadu(panel), k1 = V::loadu(panel + kLanes);
#pragma GCC unroll 12
      for (int i = 0; i < kCount; ++i) {
        const F32 a = V::set1(q[i * q_stride + c]);
        acc[i][0] = V::fma(a, k0, acc[i][0]);
        acc[i][1] = V::fma(a, k1, acc[i][1]);
      }
    }
#pragma GCC unroll 12
    for (int i = 0; i < kCount; ++i) {
      const F32 s0 = acc[i][0] * V::set1(scale), s1 = acc[i][1] * V::set1(scale);
      float* to = out + i * out_stride;
      if (keys >= kPanel) {
        V::storeu(to, s0);
        V::storeu(to + kLanes, s1);
      } else {
        alignas(64) float edge[kPanel];
        V::store(edge, s0);
        V::store(edge + kLanes, s1);
        for (int64_t j = 0; j < keys; ++j) to[j] = edge[j];
      }
    }
  }

  template <int kCount>
  static void rest(const float* q, int64_t q_stride, int64_t rows, const float* panel, int64_t d, float scale, float* out,
                   int64_t out_stride, int64_t keys) {
    if constexpr (kCount > 0) {
      if (rows == kCount) return rows_of<kCount>(q, q_stride, panel, d, scale, out, out_stride, keys);
      rest<kCount - 1>(q, q_stride, rows, panel, d, scale, out, out_stride, keys);
    }
  }

  static void tile(const float* q, int64_t q_stride, int64_t rows, const float* panel, int64_t d, float scale, float* out,
                   int64_t out_stride, int64_t keys) {
    for (; rows >= kRows; rows -= kRows, q += kRows * q_stride, out += kRows * out_stride)
      rows_of<kRows>(q, q_stride, panel, d, scale, out, out_stride, keys);
    rest<kRows - 1>(q, q_stride, rows, panel, d, scale, out, out_stride, keys);
  }

  static constexpr int kStreams = 4;

  // kLanes keys and one query: acc[l] holds partial sums of key l / kStreams of stream l % kStreams.
  template <class K>
  static inline void row_keys(const float* q, const K* k, int64_t stride, int64_t apart, int64_t d, float scale, float* out) {
    const auto key = [&](int l) { return k + l % kStreams * apart + l / kStreams * stride; };
    F32 acc[kLanes];
#pragma GCC unroll 16
    for (int l = 0; l < kLanes; ++l) acc[l] = V::zero();
    int64_t c = 0;
    for (; c + kLanes <= d; c += kLanes) {
      const F32 a = V::loadu(q + c);
#pragma GCC unroll 16
      for (int l = 0; l < kLanes; ++l) acc[l] = V::fma(a, load_any<V>(key(l) + c), acc[l]);
    }
    if (c < d) {
      const F32 a = load_some<V>(q + c, d - c);
#pragma GCC unroll 16
      for (int l = 0; l < kLanes; ++l) acc[l] = V::fma(a, load_some<V>(key(l) + c, d - c), acc[l]);
    }
    V::store(out, V::sums(acc) * V::set1(scale));
  }

  template <class K>
  static void one(const float* q, const K* k, int64_t stride, int64_t keys, int64_t d, float scale, float* out) {
    constexpr int kStep = kLanes / kStreams;  // keys of a stream
    const int64_t each = keys / kLanes * kStep;
    alignas(64) float s[kLanes];
    for (int64_t j = 0; j < each; j += kStep) {
      row_keys(q, k + j * stride, stride, each * stride, d, scale, s);
      for (int l = 0; l < kLanes; ++l) out[l % kStreams * each + j + l / kStreams] = s[l];
    }
    for (int64_t j = kStreams * each; j < keys; ++j) {  // fewer keys than lanes: each takes the place of all
      row_keys(q, k + j * stride, 0, 0, d, scale, s);
      out[j] = s[0];
    }
  }

  // kParts queries and a key of each stream: acc[4 r + j] holds partial sums of query r and key j.
  static constexpr int kParts = kLanes / kStreams;
  template <class K>
  static inline void parts(const float* q, int64_t q_stride, const K* k, int64_t apart, int64_t d, float scale, float* out,
                           int64_t out_stride, int64_t out_apart) {
    F32 acc[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) acc[i] = V::zero();
    const auto step = [&](const F32(&key)[kStreams], auto query) {
#pragma GCC unroll 4
      for (int r = 0; r < kParts; ++r) {
        const F32 a = query(q + r * q_stride);
#pragma GCC unroll 4
        for (int j = 0; j < kStreams; ++j) acc[kStreams * r + j] = V::fma(a, key[j], acc[kStreams * r + j]);
      }
    };
    F32 key[kStreams];
    int64_t c = 0;
    for (; c + kLanes <= d; c += kLanes) {
#pragma GCC unroll 4
      for (int j = 0; j < kStreams; ++j) key[j] = load_any<V>(k + j * apart + c);
      step(key, [&](const float* x) { return V::loadu(x + c); });
    }
    if (c < d) {
#pragma GCC unroll 4
      for (int j = 0; j < kStreams; ++j) key[j] = load_some<V>(k + j * apart + c, d - c);
      step(key, [&](const float* x) { return load_some<V>(x + c, d - c); });
    }
    alignas(64) float s[kLanes];
    V::store(s, V::sums(acc));
    for (int i = 0; i < kLanes; ++i) out[i / kStreams * out_stride + i % kStreams * out_apart] = s[i] * scale;
  }

  template <class K>
  static void few(const float* q, int64_t q_stride, int64_t rows, const void* all, int64_t stride, int64_t keys, int64_t d, float scale,
                  float* out, int64_t out_stride) {
    const K* const k = static_cast<const K*>(all);
    const int64_t whole = rows / kParts * kParts, each = whole > 0 && rows > 1 ? keys / kStreams : 0, done = kStreams * each;
    for (int64_t j = 0; j < each; ++j)
      for (int64_t i = 0; i < whole; i += kParts)
        parts(q + i * q_stride, q_stride, k + j * stride, each * stride, d, scale, out + i * out_stride + j, out_stride, each);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t first = i < whole ? done : 0;
      one(q + i * q_stride, k + first * stride, stride, keys - first, d, scale, out + i * out_stride + first);
    }
  }

  static float greatest(const float* x, int64_t n) {
    F32 most = V::set1(-__builtin_inff());
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) most = V::max(V::loadu(x + i), most);
    alignas(64) float lanes[kLanes];
    V::store(lanes, most);
    float m = lanes[0];
    for (int l = 1; l < kLanes; ++l) m = lanes[l] > m ? lanes[l] : m;
    for (; i < n; ++i) m = x[i] > m ? x[i] : m;
    return m;
  }

  static float exponentials(float* x, int64_t n, float shift) {
    const F32 s = V::set1(shift);
    F32 sum = V::zero();
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      const F32 e = exp<V>(V::loadu(x + i) - s);
      V::storeu(x + i, e);
      sum = sum + e;
    }
    alignas(64) float lanes[kLanes];
    V::store(lanes, sum);
    float total = 0;
    for (int l = 0; l < kLanes; ++l) total += lanes[l];
    if (i < n) {
      for (int64_t j = i; j < n; ++j) lanes[j - i] = x[j] - shift;
      for (int64_t j = n - i; j < kLanes; ++j) lanes[j] = -__builtin_inff();
      V::store(lanes, exp<V>(V::load(lanes)));
      for (int64_t j = i; j < n; ++j) total += x[j] = lanes[j - i];
    }
    return total;
  }

  static void multiply(float* x, int64_t n, float factor) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) V::storeu(x + i, V::loadu(x + i) * V::set1(factor));
    for (; i < n; ++i) x[i] *= factor;
  }

  static void add(float* to, const float* x, int64_t n) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) V::storeu(to + i, V::loadu(to + i) + V::loadu(x + i));
    for (; i < n; ++i) to[i] += x[i];
  }

  static void raise(float* to, const float* x, int64_t n) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) V::storeu(to + i, V::max(V::loadu(x + i), V::loadu(to + i)));
    for (; i < n; ++i) to[i] = x[i] > to[i] ? x[i] : to[i];
  }

  static constexpr ScoreKernel kernel(const char* name) {
    return {name,
            kLanes,
            kPanel,
            &pack,
            &tile,
            &few<float>,
            &few<BHalf>,
            &Channels<V>::template channels<float>,
            &Channels<V>::template channels<BHalf>,
            &greatest,
            &exponentials,
            &multiply,
            &add,
            &raise};
  }
};

}  // namespace
}  // namespace sk

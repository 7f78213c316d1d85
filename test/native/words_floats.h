// Words of float32 lanes: loads and stores, arithmetic, transpositions.
#pragma once

#include "words.h"

namespace sk_test {
namespace {

template <class V, bool kFused>
struct FloatWords : WordTools<V> {
  using Tools = WordTools<V>;
  using Tools::kLanes;
  using Tools::out_of;
  using Tools::tricky_lanes;
  using typename Tools::F32;
  using typename Tools::Lanes;

  static bool zero() {
    const Lanes a = out_of(V::zero());
    bool ok = true;
    for (const float x : a.v) ok &= bits_of(x) == 0;
    return ok;
  }
  static bool set1() {
    bool ok = true;
    for (int i = 0; i < kTrickyCount; ++i) {
      const Lanes a = out_of(V::set1(tricky(i)));
      for (const float x : a.v) ok &= same(x, tricky(i));
    }
    return ok;
  }
  // Loads at `from`, stores at `to` among memory that must stay as it was.
  static bool copies(bool aligned_load, bool aligned_store, int from, int to) {
    alignas(64) float in[3 * kLanes], out[3 * kLanes];
    for (int i = 0; i < 3 * kLanes; ++i) in[i] = tricky(i + from), out[i] = -7;
    const F32 a = aligned_load ? V::load(in + from) : V::loadu(in + from);
    if (aligned_store)
      V::store(out + to, a);
    else
      V::storeu(out + to, a);
    bool ok = true;
    for (int i = 0; i < 3 * kLanes; ++i) ok &= same(out[i], i >= to && i < to + kLanes ? in[i - to + from] : -7);
    return ok;
  }
  static bool load_store() { return copies(true, true, kLanes, 0) && copies(true, true, 0, kLanes); }
  static bool loadu_storeu() {
    bool ok = true;
    for (int i = 0; i <= kLanes; ++i)
      ok &= copies(false, true, i, kLanes) && copies(true, false, kLanes, i) && copies(false, false, i, kLanes - i);
    return ok;
  }
  static bool fma() {
    bool ok = true;
    for (int i = 0; i < kTrickyCount; ++i)
      for (int j = 0; j < kTrickyCount; ++j)
        for (int k = 0; k < kTrickyCount; k += kLanes) {
          Lanes c;
          for (int l = 0; l < kLanes; ++l) c.v[l] = tricky(k + l);
          const Lanes r = out_of(V::fma(V::set1(tricky(i)), V::set1(tricky(j)), V::load(c.v)));
          for (int l = 0; l < kLanes; ++l) {
            // The arguments as the lanes hold them: set1 has its own check.
            const float x = out_of(V::set1(tricky(i))).v[l], y = out_of(V::set1(tricky(j))).v[l];
            const float fused = __builtin_fmaf(x, y, c.v[l]);
            volatile float product = x * y;
            const float rounded_twice = product + c.v[l];
            ok &= same(r.v[l], fused) || (!kFused && same(r.v[l], rounded_twice)) || (is_nan(r.v[l]) && is_nan(fused)) ||
                  (!kFused && is_nan(r.v[l]) && is_nan(rounded_twice));
          }
        }
    return ok;
  }
  static bool relu() {
    bool ok = true;
    for (int k = 0; k < kTrickyCount; k += kLanes) {
      Lanes a;
      for (int l = 0; l < kLanes; ++l) a.v[l] = tricky(k + l);
      const Lanes r = out_of(V::relu(V::load(a.v)));
      for (int l = 0; l < kLanes; ++l) ok &= same(r.v[l], a.v[l] < 0 ? 0 : a.v[l]);
    }
    return ok;
  }
  static bool max() {
    bool ok = true;
    for (int j = 0; j < kTrickyCount; ++j)
      for (int k = 0; k < kTrickyCount; ++k) {
        const Lanes a = tricky_lanes(j), b = tricky_lanes(k), r = out_of(V::max(V::load(a.v), V::load(b.v)));
        for (int l = 0; l < kLanes; ++l) ok &= same(r.v[l], a.v[l] > b.v[l] ? a.v[l] : b.v[l]);
      }
    return ok;
  }
  static bool shift_exponent() {
    bool ok = true;
    for (int n = -126; n <= 126; ++n) {
      Lanes a, t;
      for (int l = 0; l < kLanes; ++l) a.v[l] = l % 2 == 0 ? 1.0f : 1.4142135f, t.v[l] = 12582912.0f + static_cast<float>(n);
      const Lanes r = out_of(V::shift_exponent(V::load(a.v), V::load(t.v)));
      for (int l = 0; l < kLanes; ++l) ok &= same(r.v[l], __builtin_ldexpf(a.v[l], n));
    }
    return ok;
  }
  static bool within() {
    constexpr int32_t kEnds[] = {INT32_MIN, -1, 0, 5, INT32_MAX};
    bool ok = true;
    for (const int32_t k : kEnds)
      for (int first = 0; first < 25; ++first) {
        int32_t low[kLanes + 1], high[kLanes + 1];  // at any alignment
        Lanes a;
        for (int l = 0; l < kLanes; ++l) {
          low[l + 1] = kEnds[(first + l) % 5], high[l + 1] = kEnds[(first + l) / 5 % 5];
          a.v[l] = tricky(l);
        }
        const Lanes r = out_of(V::within(V::load(a.v), low + 1, high + 1, k));
        for (int l = 0; l < kLanes; ++l) ok &= same(r.v[l], low[l + 1] <= k && k <= high[l + 1] ? a.v[l] : -__builtin_inff());
      }
    return ok;
  }
  static bool sums() {
    Lanes in[kLanes];
    F32 a[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      for (int l = 0; l < kLanes; ++l) in[i].v[l] = static_cast<float>((i * 37 + l * 11) % 101);  // sums are exact
      a[i] = V::load(in[i].v);
    }
    const Lanes r = out_of(V::sums(a));
    bool ok = true;
    for (int i = 0; i < kLanes; ++i) {
      float sum = 0;
      for (const float x : in[i].v) sum += x;
      ok &= same(r.v[i], sum);
    }
    return ok;
  }
  static bool prefetch() {  // a hint: it may name any address
    const float x = 0;
    V::prefetch(&x);
    V::prefetch(nullptr);
    V::prefetch_early(&x);
    V::prefetch_early(nullptr);
    return true;
  }

  static bool transpose() {
    bool ok = true;
    for (int k = 0; k < kTrickyCount; ++k) {
      Lanes in[kLanes];
      F32 rows[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        for (int l = 0; l < kLanes; ++l) in[i].v[l] = k == 0 ? static_cast<float>(i * kLanes + l) : tricky(i * 11 + l * 7 + k);
        rows[i] = V::load(in[i].v);
      }
      V::transpose(rows);
      for (int i = 0; i < kLanes; ++i) {
        const Lanes a = out_of(rows[i]);
        for (int l = 0; l < kLanes; ++l) ok &= same(a.v[l], in[l].v[i]);
      }
    }
    return ok;
  }

  static bool parts() {
    bool ok = true;
    alignas(64) float in[8 * kLanes], out[8 * kLanes];
    for (int i = 0; i < 8 * kLanes; ++i) in[i] = tricky(i * 5), out[i] = -7;
    for (int64_t stride = 4; stride <= 24; stride += 5) {
      const F32 a = V::load_parts(in + 1, stride);
      const Lanes lanes = out_of(a);
      V::store_parts(out + 1, stride, a);
      for (int l = 0; l < kLanes; ++l) {
        const int64_t at = 1 + l / 4 * stride + l % 4;
        ok &= same(lanes.v[l], in[at]) && same(out[at], in[at]);
        out[at] = -7;
      }
      for (const float x : out) ok &= x == -7;
    }
    return ok;
  }
  static bool transpose_quads() {
    Lanes in[4];
    F32 rows[4];
    for (int i = 0; i < 4; ++i) {
      in[i] = tricky_lanes(i * 7);
      rows[i] = V::load(in[i].v);
    }
    V::transpose_quads(rows);
    bool ok = true;
    for (int i = 0; i < 4; ++i) {
      const Lanes a = out_of(rows[i]);
      for (int l = 0; l < kLanes; ++l) ok &= same(a.v[l], in[l % 4].v[l / 4 * 4 + i]);
    }
    return ok;
  }

  static void run(const char* type, CheckWord check) {
    check(zero(), type, "zero");
    check(set1(), type, "set1 (also of -0 and NaN)");
    check(load_store(), type, "load, store");
    check(loadu_storeu(), type, "loadu, storeu at every offset");
    check(fma(), type, kFused ? "fma rounds once" : "fma rounds once or twice");
    check(relu(), type, "relu keeps NaN and -0");
    check(max(), type, "max keeps the NaN of its second operand");
    check(shift_exponent(), type, "shift_exponent");
    check(within(), type, "within");
    check(sums(), type, "sums");
    check(prefetch(), type, "prefetch, prefetch_early");
    check(transpose(), type, "transpose");
    check(parts(), type, "load_parts, store_parts");
    check(transpose_quads(), type, "transpose_quads");
  }
};

}  // namespace
}  // namespace sk_test

// Words that read and write elements of other types: float32 in quads, Half, BHalf, int8.
#pragma once

#include "words.h"

namespace sk_test {
namespace {

template <class V>
struct ElementWords : WordTools<V> {
  using Tools = WordTools<V>;
  using Tools::kLanes;
  using Tools::out_of;
  using Tools::quad_of_lane;
  using typename Tools::F32;
  using typename Tools::Lanes;

  template <int kI>
  static bool splats(const float* p) {
    const Lanes a = out_of(V::template splat<kI>(V::load_quad(p)));
    bool ok = true;
    for (const float x : a.v) ok &= same(x, p[kI]);
    return ok;
  }
  static bool quad() {
    bool ok = true;
    for (int k = 0; k < kTrickyCount; ++k) {
      const float odd[5] = {0, tricky(k), tricky(k + 1), tricky(k + 2), tricky(k + 3)};
      const float* p = odd + 1;  // any alignment
      ok &= splats<0>(p) && splats<1>(p) && splats<2>(p) && splats<3>(p);
    }
    return ok;
  }
  static bool load_quads() {
    bool ok = true;
    for (int k = 0; k < kTrickyCount; ++k) {
      alignas(64) float p[4 * kLanes];
      for (int i = 0; i < 4 * kLanes; ++i) p[i] = k == 0 ? static_cast<float>(i) : tricky(i * 5 + k);
      F32 quads[4];
      V::load_quads(p, quads);
      for (int i = 0; i < 4; ++i) {
        const Lanes a = out_of(quads[i]);
        for (int l = 0; l < kLanes; ++l) ok &= same(a.v[l], p[4 * quad_of_lane(l) + i]);
      }
    }
    return ok;
  }
  // Half and BHalf in every bit pattern, by arithmetic on their values.
  static float value_of(sk::Half h) {
    const int exponent = h.bits >> 10 & 31, fraction = h.bits & 1023;
    const float scale = float_of(static_cast<uint32_t>(127 + (exponent ? exponent : 1) - 25) << 23);
    const float x =
        exponent == 31 ? (fraction ? float_of(0x7FC00000) : float_of(0x7F800000)) : (exponent ? 1024 + fraction : fraction) * scale;
    return h.bits >> 15 ? -x : x;
  }
  static float value_of(sk::BHalf h) { return float_of(static_cast<uint32_t>(h.bits) << 16); }
  static float value_of(int8_t x) { return x; }
  static bool same_value(float a, float b) { return same(a, b) || (is_nan(a) && is_nan(b)); }

  template <class T>
  static bool loads(uint32_t patterns) {
    bool ok = true;
    T in[4 * kLanes + 1];
    for (uint32_t first = 0; first < patterns; first += 4 * kLanes) {
      for (uint32_t i = 0; i < 4 * kLanes; ++i) {
        const uint32_t pattern = first + i;
        __builtin_memcpy(in + 1 + i, &pattern, sizeof(T));  // its low bytes
      }
      const Lanes a = out_of(V::load(in + 1));
      for (int l = 0; l < kLanes; ++l) ok &= same_value(a.v[l], value_of(in[1 + l]));
      const auto quad = V::load_quad(in + 1);
      const Lanes q[4] = {out_of(V::template splat<0>(quad)), out_of(V::template splat<1>(quad)), out_of(V::template splat<2>(quad)),
                          out_of(V::template splat<3>(quad))};
      F32 quads[4];
      V::load_quads(in + 1, quads);
      for (int i = 0; i < 4; ++i) {
        const Lanes b = out_of(quads[i]);
        for (int l = 0; l < kLanes; ++l)
          ok &= same_value(q[i].v[l], value_of(in[1 + i])) && same_value(b.v[l], value_of(in[1 + 4 * quad_of_lane(l) + i]));
      }
    }
    return ok;
  }

  // Stores floats around every value of T, which must be the nearest, ties to the even pattern.
  template <class T>
  static bool stores() {
    bool ok = true;
    for (uint32_t step = 0; step < 0x10000; step += 5) {
      Lanes in;
      for (int l = 0; l < kLanes; ++l) {
        T below;
        below.bits = static_cast<uint16_t>(step + static_cast<uint32_t>(l) * 4099);
        T above = below;
        ++above.bits;
        const float x = value_of(below), y = value_of(above), middle = x / 2 + y / 2;
        const uint32_t at = bits_of(middle);
        in.v[l] = l % 4 == 0 ? middle : l % 4 == 1 ? float_of(at + 1) : l % 4 == 2 ? float_of(at - 1) : x;
      }
      T out[kLanes + 2];
      for (T& h : out) h.bits = 0x1234;
      V::store(out + 1, V::load(in.v));
      ok &= out[0].bits == 0x1234 && out[kLanes + 1].bits == 0x1234;
      for (int l = 0; l < kLanes; ++l) ok &= nearest(out[1 + l], in.v[l]);
    }
    return ok;
  }
  template <class T>
  static bool nearest(T h, float x) {
    if (is_nan(x)) return is_nan(value_of(h));
    if ((h.bits >> 15) != (bits_of(x) >> 31)) return false;  // zeros too
    const double error = distance(h, x);
    T up = h, down = h;
    ++up.bits, --down.bits;
    const bool lowest = (h.bits & 0x7FFF) == 0, infinite = is_infinite(h);
    const double above = infinite ? 1e300 : distance(up, x), below = lowest ? 1e300 : distance(down, x);
    return error < above && error < below ? true : h.bits % 2 == 0 && error <= above && error <= below;
  }
  template <class T>
  static bool is_infinite(T h) {
    return !is_nan(value_of(h)) && is_nan(value_of(h) - value_of(h));
  }
  // Infinity counts as the value that the next finite step would have.
  template <class T>
  static double distance(T h, float x) {
    T largest = h;
    --largest.bits;
    T before = largest;
    --before.bits;
    double value = value_of(h);
    if (is_infinite(h)) value = 2.0 * static_cast<double>(value_of(largest)) - static_cast<double>(value_of(before));
    if (is_nan(x - x)) return is_infinite(h) ? 0 : 1e299;
    return value > static_cast<double>(x) ? value - static_cast<double>(x) : static_cast<double>(x) - value;
  }

  static void run(const char* type, CheckWord check) {
    check(quad(), type, "load_quad, splat");
    check(load_quads(), type, "load_quads");
    check(loads<sk::Half>(0x10000), type, "load, load_quad, load_quads of every Half");
    check(loads<sk::BHalf>(0x10000), type, "load, load_quad, load_quads of every BHalf");
    check(loads<int8_t>(0x100), type, "load, load_quad, load_quads of every int8");
    check(stores<sk::Half>(), type, "store rounds to the nearest Half");
    check(stores<sk::BHalf>(), type, "store rounds to the nearest BHalf");
  }
};

}  // namespace
}  // namespace sk_test

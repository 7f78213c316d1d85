// Every word of the SIMD vocabulary (native/simd/vec_portable.h says what each means) against plain loops over tricky values.
//
// Compiled with the flags of the ISA under test, so it obeys the rule of ISA files: no standard header but <cstdint>, everything in an
// unnamed namespace. Else the linker might keep an inline function with AVX-512 instructions for everybody.
#pragma once

#include <cstdint>

#include "../../native/simd/half.h"

namespace sk_test {

using CheckWord = void (*)(bool ok, const char* type, const char* word);

void words_scalar(CheckWord check);
void words_scalar16(CheckWord check);
void words_avx2(CheckWord check);
void words_avx512(CheckWord check);
void words_avx512_emulated(CheckWord check);

namespace {

// Zeros, denormals, the smallest and the largest normals, infinities, NaNs with payloads, numbers that round.
constexpr uint32_t kTricky[] = {0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x00800000, 0x80800000, 0x7F7FFFFF,
                                0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7FC12345, 0xFFC54321, 0x3F800000, 0xBF800000,
                                0x3F800001, 0x3EAAAAAB, 0xBEAAAAAB, 0x4B7FFFFF, 0xCB800001, 0x33800000, 0x5F000000, 0x1F000001};
constexpr int kTrickyCount = sizeof(kTricky) / sizeof(kTricky[0]);

inline uint32_t bits_of(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits;
}
inline float float_of(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}
inline bool is_nan(float x) { return x != x; }
inline bool same(float a, float b) { return bits_of(a) == bits_of(b); }
inline float tricky(int i) { return float_of(kTricky[i % kTrickyCount]); }

template <class V, bool kFused>
struct Words {
  static constexpr int kLanes = V::kLanes;
  using F32 = typename V::F32;
  using U32 = typename V::U32;
  struct alignas(64) Lanes {
    float v[kLanes];
  };
  struct alignas(64) Indices {
    uint32_t v[kLanes];
  };

  static Lanes out_of(F32 a) {
    Lanes lanes;
    V::store(lanes.v, a);
    return lanes;
  }
  static Indices out_of_u32(U32 a) {
    static_assert(sizeof(U32) == sizeof(Indices().v), "one index a lane");
    Indices lanes;
    __builtin_memcpy(lanes.v, &a, sizeof(lanes.v));
    return lanes;
  }

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
    return true;
  }

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
  // In memory the quads of lanes 0, 4, 8 .. come first, then 1, 5, 9 .., then 2, 6, 10 .., then 3, 7, 11 ..
  static int quad_of_lane(int lane) {
    int quad = 0;
    for (int first = 0; first < 4; ++first)
      for (int l = first; l < kLanes; l += 4, ++quad)
        if (l == lane) return quad;
    return -1;
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

  static Lanes tricky_lanes(int k) {
    Lanes a;
    for (int l = 0; l < kLanes; ++l) a.v[l] = tricky(k + l * 5);
    return a;
  }
  // test(l) for every lane, as bits.
  template <class Test>
  static uint32_t bits_where(Test test) {
    uint32_t bits = 0;
    for (int l = 0; l < kLanes; ++l) bits |= static_cast<uint32_t>(test(l)) << l;
    return bits;
  }
  static bool comparisons() {
    bool ok = true;
    for (int j = 0; j < kTrickyCount; ++j)
      for (int k = 0; k < kTrickyCount; ++k) {
        const Lanes a = tricky_lanes(j), b = tricky_lanes(k);
        const F32 x = V::load(a.v), y = V::load(b.v);
        ok &= V::lanes_greater(x, y) == bits_where([&](int l) { return a.v[l] > b.v[l]; });
        ok &= V::lanes_equal(x, y) == bits_where([&](int l) { return a.v[l] == b.v[l]; });
        ok &= V::lanes_nan(x) == bits_where([&](int l) { return is_nan(a.v[l]); });
        ok &= V::lanes_set(V::bits_of(x)) == bits_where([&](int l) { return bits_of(a.v[l]) >> 31 != 0; });
      }
    return ok;
  }
  static bool lane_bits() {
    bool ok = true;
    for (uint32_t k = 0; k < 300; ++k) {
      const uint32_t bits = (k < 256 ? k : k * 0x9E3779B9u) & ((1u << kLanes) - 1);
      int count = 0;
      const Indices from = some_indices(k), to = out_of_u32(V::compress(V::load_u32(from.v), bits));
      const Lanes a = tricky_lanes(static_cast<int>(k)), kept = out_of(V::keep(V::load(a.v), bits));
      for (int l = 0; l < kLanes; ++l) {
        ok &= same(kept.v[l], bits >> l & 1 ? a.v[l] : 0);
        if (bits >> l & 1) ok &= to.v[count++] == from.v[l];
      }
      ok &= V::count(bits) == count;
    }
    return ok;
  }
  static bool integers() {
    bool ok = true;
    const Indices lanes = out_of_u32(V::iota());
    for (uint32_t k = 0; k < 50; ++k) {
      const Indices a = some_indices(k), b = some_indices(3 * k + 1);
      uint32_t unaligned[2 * kLanes];
      V::storeu_u32(unaligned + k % kLanes, V::loadu_u32(a.v));
      const U32 x = V::load_u32(a.v), y = V::load_u32(b.v);
      const Indices sum = out_of_u32(V::add_u32(x, y)), difference = out_of_u32(V::sub_u32(x, y)), both = out_of_u32(V::and_u32(x, y)),
                    either = out_of_u32(V::or_u32(x, y)), one = out_of_u32(V::xor_u32(x, y)), greater = out_of_u32(V::greater_i32(x, y)),
                    shifted = out_of_u32(V::template shift_right_i32<31>(x)), all = out_of_u32(V::set1_u32(a.v[0])),
                    floats = out_of_u32(V::bits_of(V::float_of(x)));
      for (int l = 0; l < kLanes; ++l) {
        const uint32_t p = a.v[l], q = b.v[l];
        ok &= sum.v[l] == p + q && difference.v[l] == p - q && both.v[l] == (p & q) && either.v[l] == (p | q) && one.v[l] == (p ^ q);
        ok &= greater.v[l] == (static_cast<int32_t>(p) > static_cast<int32_t>(q) ? 0xFFFFFFFFu : 0u);
        ok &= shifted.v[l] == (p >> 31 ? 0xFFFFFFFFu : 0u) && all.v[l] == a.v[0] && floats.v[l] == p;
        ok &= lanes.v[l] == static_cast<uint32_t>(l) && unaligned[k % kLanes + static_cast<uint32_t>(l)] == p;
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

  static Indices some_indices(uint32_t k) {
    Indices a;
    for (int l = 0; l < kLanes; ++l) a.v[l] = (static_cast<uint32_t>(l) + 1) * 0x9E3779B9u + k * 0x85EBCA6Bu;
    return a;
  }
  static bool load_u32() {
    const Indices a = some_indices(0), b = out_of_u32(V::load_u32(a.v));
    bool ok = true;
    for (int l = 0; l < kLanes; ++l) ok &= a.v[l] == b.v[l];
    return ok;
  }
  template <int kBits>
  static bool shifts() {
    const Indices a = some_indices(1), b = out_of_u32(V::template shift_right<kBits>(V::load_u32(a.v))),
                  c = out_of_u32(V::template shift_left<kBits>(V::load_u32(a.v)));
    bool ok = true;
    for (int l = 0; l < kLanes; ++l) ok &= b.v[l] == a.v[l] >> kBits && c.v[l] == a.v[l] << kBits;
    return ok;
  }
  template <int kM>
  static bool pick() {
    bool ok = true;
    alignas(64) float table[kM];
    for (int k = 0; k < kTrickyCount; ++k) {
      for (int i = 0; i < kM; ++i) table[i] = k == 0 ? static_cast<float>(i) : tricky(i + k);
      for (uint32_t round = 0; round < 40; ++round) {
        Indices index = some_indices(round);  // bits above the low log2(M) must not count
        if (round < 32)
          for (int l = 0; l < kLanes; ++l) index.v[l] = (index.v[l] & ~31u) | ((static_cast<uint32_t>(l) + round) % 32);
        const Lanes a = out_of(V::template Table<kM>::load(table).pick(V::load_u32(index.v)));
        for (int l = 0; l < kLanes; ++l) ok &= same(a.v[l], table[index.v[l] % kM]);
      }
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
    check(prefetch(), type, "prefetch");
    check(quad(), type, "load_quad, splat");
    check(load_quads(), type, "load_quads");
    check(loads<sk::Half>(0x10000), type, "load, load_quad, load_quads of every Half");
    check(loads<sk::BHalf>(0x10000), type, "load, load_quad, load_quads of every BHalf");
    check(loads<int8_t>(0x100), type, "load, load_quad, load_quads of every int8");
    check(stores<sk::Half>(), type, "store rounds to the nearest Half");
    check(stores<sk::BHalf>(), type, "store rounds to the nearest BHalf");
    check(transpose(), type, "transpose");
    check(comparisons(), type, "lanes_greater, lanes_equal, lanes_nan, lanes_set");
    check(lane_bits(), type, "count, keep, compress");
    check(integers(), type, "words of integers");
    check(parts(), type, "load_parts, store_parts");
    check(transpose_quads(), type, "transpose_quads");
    check(load_u32(), type, "load_u32");
    check(shifts<2>() && shifts<4>() && shifts<8>(), type, "shift_right, shift_left");
    check(pick<4>(), type, "Table<4>");
    check(pick<8>(), type, "Table<8>");
    check(pick<16>(), type, "Table<16>");
    check(pick<32>(), type, "Table<32>");
  }
};

}  // namespace
}  // namespace sk_test

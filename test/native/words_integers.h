// Words of integer lanes and of one bit a lane, and the tables that indices pick from.
#pragma once

#include "words.h"

namespace sk_test {
namespace {

template <class V>
struct IntegerWords : WordTools<V> {
  using Tools = WordTools<V>;
  using Tools::bits_where;
  using Tools::kLanes;
  using Tools::out_of;
  using Tools::out_of_u32;
  using Tools::some_indices;
  using Tools::tricky_lanes;
  using typename Tools::F32;
  using typename Tools::Indices;
  using typename Tools::Lanes;
  using typename Tools::U32;

  static bool comparisons() {
    bool ok = true;
    for (int j = 0; j < kTrickyCount; ++j)
      for (int k = 0; k < kTrickyCount; ++k) {
        const Lanes a = tricky_lanes(j), b = tricky_lanes(k);
        const F32 x = V::load(a.v), y = V::load(b.v);
        ok &= V::lanes_greater(x, y) == bits_where([&](int l) { return a.v[l] > b.v[l]; });
        ok &= V::lanes_equal(x, y) == bits_where([&](int l) { return a.v[l] == b.v[l]; });
        ok &= V::lanes_nan(x, y) == bits_where([&](int l) { return is_nan(a.v[l]) || is_nan(b.v[l]); });
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
    check(comparisons(), type, "lanes_greater, lanes_equal, lanes_nan, lanes_set");
    check(lane_bits(), type, "count, keep, compress");
    check(integers(), type, "words of integers");
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

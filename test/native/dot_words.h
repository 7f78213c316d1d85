// Every word for products of 8-bit integers (native/simd/dot_portable.h says what each means) against plain loops. As words.h.
#pragma once

#include "words.h"

namespace sk_test {
namespace {

template <class V>
struct DotWords {
  static constexpr int kLanes = V::kLanes, kBytes = 4 * kLanes;
  using Bytes = typename V::Bytes;
  struct alignas(64) Memory {
    int8_t b[4 * kBytes];
    int16_t shorts(int i) const {
      int16_t x;
      __builtin_memcpy(&x, b + 2 * i, 2);
      return x;
    }
    int32_t word(int i) const {
      int32_t x;
      __builtin_memcpy(&x, b + 4 * i, 4);
      return x;
    }
  };
  template <class T>
  static Memory out_of(T a) {
    static_assert(sizeof(T) == kBytes, "a vector");
    Memory m = {};
    __builtin_memcpy(m.b, &a, sizeof(a));
    return m;
  }
  // Integers of -most .. most, both ends among them.
  static Memory some(uint32_t seed, int most) {
    Memory m;
    for (int i = 0; i < 4 * kBytes; ++i) {
      const uint32_t hash = (static_cast<uint32_t>(i) + 1) * 0x9E3779B9u + seed * 0x85EBCA6Bu;
      m.b[i] = static_cast<int8_t>(hash >> 28 == 0   ? most
                                   : hash >> 28 == 1 ? -most
                                                     : static_cast<int>(hash >> 8 & 255) % (2 * most + 1) - most);
    }
    return m;
  }

  static bool quantised() {
    alignas(64) float x[2 * kLanes];
    for (int i = 0; i < 2 * kLanes; ++i) x[i] = static_cast<float>(i * 7 % 128) - 63.5f + static_cast<float>(i % 3) * 0.25f;
    const auto low = V::load(x), high = V::load(x + kLanes);
    Memory shorts = {}, bytes = {};
    V::store_shorts(reinterpret_cast<int16_t*>(shorts.b), low, high);
    V::store_bytes(bytes.b + 1, low);
    const Memory steps = out_of(V::to_steps_u32(low));
    bool ok = bytes.b[0] == 0 && bytes.b[kLanes + 1] == 0;
    for (int l = 0; l < kLanes; ++l) {
      const int rounded = static_cast<int>(__builtin_rintf(x[l]));
      ok &= bytes.b[l + 1] == rounded && steps.word(l) == rounded;
    }
    // Of shorts the order is add_pairs()'s own: times 1 they come out again.
    const int16_t one[2] = {1, 0};
    auto first = V::zero_i32(), second = V::zero_i32();
    V::add_pairs(reinterpret_cast<const int16_t*>(shorts.b), reinterpret_cast<const int16_t*>(shorts.b), V::splat_pair(one), first, second);
    const Memory a = out_of(first), b = out_of(second);
    for (int l = 0; l < kLanes; ++l)
      ok &= a.word(l) == static_cast<int>(__builtin_rintf(x[l])) && b.word(l) == static_cast<int>(__builtin_rintf(x[kLanes + l]));
    return ok;
  }
  static bool widen_bytes() {
    const Memory from = some(1, 127);
    Memory to = {};
    V::widen_bytes(from.b + 1, reinterpret_cast<int16_t*>(to.b));
    bool ok = to.b[kBytes] == 0;
    for (int i = 0; i < 2 * kLanes; ++i) ok &= to.shorts(i) == from.b[i + 1];
    return ok;
  }
  static bool add_pair() {
    const Memory from = some(2, 127);
    const int16_t w[2] = {-127, 126}, two[4] = {-100, 26, -27, 100};  // which add up to w
    auto acc = V::zero_i32();
    typename V::Pair first, second;
    V::splat_pairs(two, first, second);
    V::add_pair(reinterpret_cast<const int16_t*>(from.b), V::splat_pair(w), acc);
    V::add_pair(reinterpret_cast<const int16_t*>(from.b), first, acc);
    V::add_pair(reinterpret_cast<const int16_t*>(from.b), second, acc);
    Memory sums = {};
    V::store_i32(sums.b, acc);
    const Memory again = out_of(V::load_i32(sums.b)), floats = out_of(V::to_float(acc)), twice = out_of(V::add_i32(acc, acc));
    bool ok = true;
    for (int l = 0; l < kLanes; ++l) {
      const int expected = 2 * (w[0] * from.shorts(2 * l) + w[1] * from.shorts(2 * l + 1));
      ok &= again.word(l) == expected && twice.word(l) == 2 * expected &&
            float_of(static_cast<uint32_t>(floats.word(l))) == static_cast<float>(expected);
    }
    return ok;
  }
  static bool pick() {
    const Memory from = some(3, 127), index = some(4, 127);
    const Memory picked = out_of(V::pick(V::load_window(from.b + 3), V::load_bytes(index.b + 1)));
    bool ok = true;
    for (int i = 0; i < kBytes; ++i) ok &= picked.b[i] == (index.b[i + 1] < 0 ? 0 : from.b[3 + index.b[i + 1] % 16]);
    return ok;
  }
  static bool dot_bytes() {
    bool ok = true;
    for (uint32_t round = 0; round < 20; ++round) {
      const Memory x = some(round, 127), w = some(round + 50, 127);
      const auto acc = V::dot_bytes(V::zero_i32(), V::load_bytes(x.b), V::load_bytes(w.b));
      const Memory sums = out_of(V::dot_bytes(acc, V::load_bytes(x.b), V::load_bytes(w.b)));
      for (int l = 0; l < kLanes; ++l) {
        int expected = 0;
        for (int i = 4 * l; i < 4 * l + 4; ++i) expected += 2 * x.b[i] * w.b[i];
        ok &= sums.word(l) == expected;
      }
    }
    return ok;
  }
  static bool pieces() {
    const Memory from = some(5, 127);
    const void* p[V::kPieces];
    for (int i = 0; i < V::kPieces; ++i) p[i] = from.b + 1 + (V::kPieces - i) * 19;
    const Memory bytes = out_of(V::load_pieces(p));
    bool ok = true;
    for (int i = 0; i < kBytes; ++i) ok &= bytes.b[i] == static_cast<const int8_t*>(p[i / 16])[i % 16];
    alignas(64) float x[kLanes];
    for (int l = 0; l < kLanes; ++l) x[l] = tricky(l);
    const auto a = V::load(x);
    const Memory splat[4] = {out_of(V::template splat_in_pieces<0>(a)), out_of(V::template splat_in_pieces<1>(a)),
                             out_of(V::template splat_in_pieces<2>(a)), out_of(V::template splat_in_pieces<3>(a))};
    for (int i = 0; i < 4; ++i)
      for (int l = 0; l < kLanes; ++l) ok &= static_cast<uint32_t>(splat[i].word(l)) == bits_of(x[l / 4 * 4 + i]);
    return ok;
  }
  template <int kShift>
  static bool each() {
    const Memory from = some(6, 127);
    const Memory bytes = out_of(V::template splat_bytes<kShift>(from.b + 1));
    sk::Half halves[kLanes];
    for (int l = 0; l < kLanes; ++l) sk::narrow(static_cast<float>(l) - 2.5f, halves + l);
    const Memory floats = out_of(V::template load_each<kShift>(halves));
    bool ok = true;
    for (int l = 0; l < kLanes; ++l) {
      ok &= float_of(static_cast<uint32_t>(floats.word(l))) == static_cast<float>(l >> kShift) - 2.5f;
      for (int i = 0; i < 4; ++i) ok &= bytes.b[4 * l + i] == from.b[1 + (l >> kShift)];
    }
    return ok;
  }
  static bool byte_sums() {
    const Memory a = some(7, 60), b = some(8, 60);
    const Memory sum = out_of(V::add_bytes(V::load_bytes(a.b), V::load_bytes(b.b)));
    const Memory difference = out_of(V::sub_bytes(V::load_bytes(a.b), V::load_bytes(b.b)));
    bool ok = true;
    for (int i = 0; i < kBytes; ++i) ok &= sum.b[i] == a.b[i] + b.b[i] && difference.b[i] == a.b[i] - b.b[i];
    return ok;
  }
  // The largest that int4 weights meet: 255 * 15.
  static bool dot_pairs() {
    bool ok = true;
    for (uint32_t round = 0; round < 20; ++round) {
      const Memory x = some(round, 127), w = some(round + 50, 15);
      const auto with = V::load_bytes(w.b), without = V::xor_u32(V::load_bytes(x.b), V::set1_u32(0x80808080));
      const auto pairs = V::dot_pairs(without, with);
      const auto more =
          V::sub_shorts(V::add_shorts(V::add_shorts(V::zero_shorts(), pairs), pairs), V::dot_pairs(V::set1_u32(0x80808080), with));
      const Memory shorts = out_of(more), sums = out_of(V::sum_pairs(more));
      const auto expected = [&](int i) {
        return (2 * (x.b[2 * i] + 128) - 128) * w.b[2 * i] + (2 * (x.b[2 * i + 1] + 128) - 128) * w.b[2 * i + 1];
      };
      for (int i = 0; i < 2 * kLanes; ++i) ok &= shorts.shorts(i) == expected(i);
      for (int l = 0; l < kLanes; ++l) ok &= sums.word(l) == expected(2 * l) + expected(2 * l + 1);
    }
    return ok;
  }

  static void run(const char* type, CheckWord check) {
    check(quantised(), type, "store_shorts, add_pairs, store_bytes, to_steps_u32");
    check(widen_bytes(), type, "widen_bytes");
    check(add_pair(), type, "add_pair, load_i32, store_i32, add_i32, to_float");
    check(pick(), type, "load_window, pick");
    check(dot_bytes(), type, "dot_bytes");
    check(pieces(), type, "load_pieces, splat_in_pieces");
    check(each<0>() && each<1>() && each<2>() && each<3>(), type, "load_each, splat_bytes");
    check(byte_sums(), type, "add_bytes, sub_bytes");
    check(dot_pairs(), type, "dot_pairs, sum_pairs and sums of 16 bits");
  }
};

}  // namespace
}  // namespace sk_test

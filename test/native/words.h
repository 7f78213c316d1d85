// Every word of the SIMD vocabulary (native/simd/vec_portable.h says what each means) against plain loops over tricky values.
//
// Compiled with the flags of the ISA under test, so it obeys the rule of ISA files: no standard header but <cstdint>, everything in an
// unnamed namespace. Else the linker might keep an inline function with AVX-512 instructions for everybody.
#pragma once

#include <cstdint>

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
      alignas(16) float p[4] = {tricky(k), tricky(k + 1), tricky(k + 2), tricky(k + 3)};
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
    const Indices a = some_indices(1), b = out_of_u32(V::template shift_right<kBits>(V::load_u32(a.v)));
    bool ok = true;
    for (int l = 0; l < kLanes; ++l) ok &= b.v[l] == a.v[l] >> kBits;
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
    check(prefetch(), type, "prefetch");
    check(quad(), type, "load_quad, splat");
    check(load_quads(), type, "load_quads");
    check(transpose(), type, "transpose");
    check(load_u32(), type, "load_u32");
    check(shifts<2>() && shifts<4>() && shifts<8>(), type, "shift_right");
    check(pick<4>(), type, "Table<4>");
    check(pick<8>(), type, "Table<8>");
    check(pick<16>(), type, "Table<16>");
    check(pick<32>(), type, "Table<32>");
  }
};

}  // namespace
}  // namespace sk_test

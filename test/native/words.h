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
void words_avx2vnni(CheckWord check);
void words_avx2vnni_emulated(CheckWord check);
void words_avx512vnni(CheckWord check);

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

// Vectors as arrays of lanes, and arrays to try.
template <class V>
struct WordTools {
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
  static Indices some_indices(uint32_t k) {
    Indices a;
    for (int l = 0; l < kLanes; ++l) a.v[l] = (static_cast<uint32_t>(l) + 1) * 0x9E3779B9u + k * 0x85EBCA6Bu;
    return a;
  }

  // In memory the quads of lanes 0, 4, 8 .. come first, then 1, 5, 9 .., then 2, 6, 10 .., then 3, 7, 11 ..
  static int quad_of_lane(int lane) {
    int quad = 0;
    for (int first = 0; first < 4; ++first)
      for (int l = first; l < kLanes; l += 4, ++quad)
        if (l == lane) return quad;
    return -1;
  }
};

}  // namespace
}  // namespace sk_test

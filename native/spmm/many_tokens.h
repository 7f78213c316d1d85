// Many tokens: a vector holds one input of L tokens; each kept weight is broadcast and multiplies the panel row that its field names.
//
//   pack    x [tokens, in] -> panel [in_padded][W]            once for all output rows (panel.h)
//   load    acc [rows][W]                                     per k block; the panel of one k block stays in L1
//   widen   the weights of a row group to float32             per k block, unless they are float32 already
//   expand  quad of weights -> broadcast, field -> panel row
//   fma     acc += w * panel row
//   store   acc                                               per k block; after the last one finish.h makes y of it
//
// Floor: one FMA per kept weight and token vector. Every FMA loads its own row of the panel, so at two loads a cycle there is no slot
// for broadcast loads: one quad load serves four weights, and the broadcasts are shuffles on a port that FMA does not need. A k block of
// full length is written out: of Zen 3's 0.53 cycles for such an FMA in L1, loops over words and quads made 0.60 (2:4); written
// out they are 0.57. Of 1:8, whose accumulators come and go for few weights, a tile from L2 costs 0.69 instead of 0.72.
#pragma once

#include "tile.h"

namespace sk {
namespace {

template <class V, int kM, int kN, int kVectors>
struct ManyTokens {
  using F32 = typename V::F32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kWidth = kVectors * kLanes;
  static constexpr int kBits = field_bits(kM);
  static constexpr int kFields = 32 / kBits;
  static constexpr int kRows = rows_in_registers(kVectors);
  static_assert(kN == 0 || 4 % kN == 0, "a quad must hold whole groups");

  // Walks the groups of one k block.
  struct Cursor {
    const float* group;  // panel row of the current group's first input
    int seen, n;         // kept weights of it behind us, of n (only where kN is 0)
  };

  // Words of a k block of full length (pack.cc: nm_layout) that is written out without a loop; 0: none. Only for panels of full width.
  static constexpr bool kSparse = 4 * kN <= kM;
  static constexpr int kFullWords = kN == 0 || kVectors < (kSparse ? 4 : 6) ? 0 : (kSparse ? 128 : 64) / kM * kN / kFields;

  // Kept weight kI of a quad, whose fields begin at `bit` of the word, for kRows rows.
  template <int kI>
  static inline void step(F32 (&acc)[kRows][kVectors], const typename V::Quad (&quad)[kRows], const uint32_t (&word)[kRows], int bit,
                          Cursor& at) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      // The middle of the row in a register: the vectors around it are one byte of displacement away, else four, and the instructions of
      // a k block would not fit in the cache of decoded ones.
      const float* middle = named_row<kWidth, kM - 1>(at.group, word[r], bit + kBits * kI) + kWidth / 2;
      __asm__("" : "+r"(middle));
      const F32 w = V::template splat<kI>(quad[r]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[r][v] = V::fma(w, V::load(middle + v * kLanes - kWidth / 2), acc[r][v]);
    }
    if (kN == 0 ? ++at.seen == at.n : (kI + 1) % (kN ? kN : 1) == 0) {
      at.seen = 0;
      at.group += kM * kWidth;
    }
  }

  // The kept weights of kRows rows that the fields of one word each belong to.
  static inline void multiply_word(F32 (&acc)[kRows][kVectors], const float* quads, const uint32_t* fields, int64_t q, Cursor& at) {
    uint32_t word[kRows];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) word[i] = fields[row_of_quad<kLanes>(q + i)];
#pragma GCC unroll 4
    for (int j = 0; j < kFields / 4; ++j, quads += kLanes * 4) {
      typename V::Quad quad[kRows];
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) quad[i] = V::load_quad(quads + i * 4);
      step<0>(acc, quad, word, j * 4 * kBits, at);
      step<1>(acc, quad, word, j * 4 * kBits, at);
      step<2>(acc, quad, word, j * 4 * kBits, at);
      step<3>(acc, quad, word, j * 4 * kBits, at);
    }
  }

  // One row group of one k block: acc[quads][kWidth] += S[rows, k block] * panel[k block][kWidth], where the first block starts from 0. The
  // accumulators are in the order of the quads. kFull: the block has kFullWords words. Not inlined: kernels of all value types share it.
  template <bool kFull>
  __attribute__((noinline)) static void row_group(const float* panel, const float* values, const uint32_t* fields, int64_t words, int n,
                                                  bool first, float* acc_quads) {
    constexpr int64_t kQuads = kFields / 4 * kLanes * 4;  // floats of the quads of a word of fields
#pragma GCC unroll 1
    for (int64_t q = 0; q < kLanes; q += kRows) {
      float* acc_quad = acc_quads + q * kWidth;
      F32 acc[kRows][kVectors];
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) acc[i][v] = first ? V::zero() : V::load(acc_quad + i * kWidth + v * kLanes);
      Cursor at = {panel, 0, n};
      const float* quads = values + q * 4;
      if (kFull) {
#pragma GCC unroll 8
        for (int w = 0; w < kFullWords; ++w) multiply_word(acc, quads + w * kQuads, fields + w * kLanes, q, at);
      } else {
        for (int64_t w = 0; w < words; ++w) multiply_word(acc, quads + w * kQuads, fields + w * kLanes, q, at);
      }
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) V::store(acc_quad + i * kWidth + v * kLanes, acc[i][v]);
    }
  }

  // All k blocks. next_quads(inputs) gives the quads of the row group that follows, of so many inputs, as float32.
  template <class Quads>
  static inline void each_row_group(const SpmmTile& t, int n, Quads next_quads) {
    const PackedNm& s = *static_cast<const PackedNm*>(t.weight);
    const uint32_t* fields = s.fields + t.first_row * (s.in_padded / kM * n / kFields);
    const int64_t fetch = (s.k_block * kWidth * kLanes / t.rows + 15) / 16 * 16;  // floats for each row group
    for (int64_t k = 0; k < s.in_padded; k += s.k_block) {
      const int64_t inputs = k + s.k_block < s.in_padded ? s.k_block : s.in_padded - k;
      const int64_t words = inputs / kM * n / kFields;
      const float* next_panel = t.x + (k + inputs) * kWidth;  // is on its way from L3 while this one is used
      for (int64_t g = 0; g < t.rows; g += kLanes, fields += words * kLanes, next_panel += fetch) {
        for (int64_t i = 0; i < fetch; i += 16) V::prefetch(next_panel + i);
        const auto multiply = words == kFullWords ? &row_group<kFullWords != 0> : &row_group<false>;
        multiply(t.x + k * kWidth, next_quads(inputs), fields, words, n, k == 0, t.acc + g * kWidth);
      }
    }
  }

  template <class T>
  static void run(const SpmmTile& t) {
    const PackedNm& s = *static_cast<const PackedNm*>(t.weight);
    const int n = kN ? kN : s.n;
    const T* values = static_cast<const T*>(s.values) + t.first_row * (s.in_padded / kM * n);
    alignas(64) float room[kRoom<T, kLanes>];
    each_row_group(t, n, [&](int64_t inputs) {
      const int64_t kept = inputs / kM * n * kLanes;
      const float* quads = widened<V>(values, kept, room);
      values += kept;
      return quads;
    });
  }
};

// Panels are as wide as the kernel likes best, 4 or 2 vectors; where the pattern is known at run time only, 6 too.
template <class V, class T, int kM, int kN, int kWidest>
static void many_tokens(const SpmmTile& tile, int vectors) {
  if (vectors == kWidest)
    ManyTokens<V, kM, kN, kWidest>::template run<T>(tile);
  else if (kN == 0 && vectors == 6)
    ManyTokens<V, kM, kN, kN == 0 ? 6 : kWidest>::template run<T>(tile);
  else if (vectors == 4)
    ManyTokens<V, kM, kN, 4>::template run<T>(tile);
  else
    ManyTokens<V, kM, kN, 2>::template run<T>(tile);
}

}  // namespace
}  // namespace sk

// Unstructured rows, by the same blocking as many_tokens.h: a vector holds one input of L tokens, each non-zero is broadcast and multiplies
// the panel row that its index names. The panel of a k block stays in L1, so no gather and no reuse of x by chance is needed.
//
//   load    acc of the next rows                              per k block, in the order of the cell: most non-zeros first
//   widen   the values of these rows to float32               unless they are float32 already
//   expand  quad of weights -> broadcast, four index bytes -> panel rows
//   fma     acc += w * panel row
//   store   acc
//
// Floor: one FMA per non-zero and token vector. Rows of a cell are sorted by their count, so that the loop over a row's non-zeros ends
// where the branch predictor expects it, and so that rows that share the registers have about the same length.
#pragma once

#include "tile.h"

namespace sk {
namespace {

template <class V, int kVectors>
struct CsrTokens {
  using F32 = typename V::F32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kWidth = kVectors * kLanes;
  static constexpr int kRows = kVectors == 1 ? 8 : rows_in_registers(kVectors);
  static constexpr int kAhead = kRows > 1 ? kRows : 2;  // rows

  static inline void step(F32 (&acc)[kVectors], F32 w, const float* x) {
    const float* middle = x + kWidth / 2;
    __asm__("" : "+r"(middle));  // as in many_tokens.h: one byte of displacement
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[v] = V::fma(w, V::load(middle + v * kLanes - kWidth / 2), acc[v]);
  }
  static inline uint32_t load_indices(const uint8_t* p) {
    uint32_t word;
    __builtin_memcpy(&word, p, 4);
    return word;
  }
  template <int kI>
  static inline const float* row_of(const float* panel, uint32_t word) {
    return named_row<kWidth, 255>(panel, word, 8 * kI);
  }
  static inline void quad(F32 (&acc)[kVectors], const float* panel, const float* values, const uint8_t* indices) {
    const typename V::Quad w = V::load_quad(values);
    const uint32_t word = load_indices(indices);
    step(acc, V::template splat<0>(w), row_of<0>(panel, word));
    step(acc, V::template splat<1>(w), row_of<1>(panel, word));
    step(acc, V::template splat<2>(w), row_of<2>(panel, word));
    step(acc, V::template splat<3>(w), row_of<3>(panel, word));
  }

  // kCount rows of a cell, of counts[0] >= counts[1] >= ... non-zeros that follow one another in `values` and `indices`. Not inlined:
  // kernels of all value types share it.
  template <int kCount>
  __attribute__((noinline)) static void rows(const float* panel, const uint16_t* slots, const uint16_t* counts, const float* values,
                                             const uint8_t* indices, float* acc_rows) {
    F32 acc[kCount][kVectors];
    const float* w[kCount];
    const uint8_t* index[kCount];
#pragma GCC unroll 8
    for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) acc[r][v] = V::load(acc_rows + slots[r] * kWidth + v * kLanes);
      w[r] = values;
      index[r] = indices;
      values += counts[r];
      indices += counts[r];
    }
    const int common = counts[kCount - 1];
    int i = 0;
    for (; i + 4 <= common; i += 4) {
#pragma GCC unroll 8
      for (int r = 0; r < kCount; ++r) quad(acc[r], panel, w[r] + i, index[r] + i);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kCount; ++r)
      for (int j = i; j < counts[r]; ++j) step(acc[r], V::set1(w[r][j]), panel + index[r][j] * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < kCount; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) V::store(acc_rows + slots[r] * kWidth + v * kLanes, acc[r][v]);
  }

  static inline void fetch_row(const float* acc_row) {
#pragma GCC unroll 8
    for (int i = 0; i < kWidth; i += 16) V::prefetch(acc_row + i);
  }

  template <class T>
  static void run(const SpmmTile& t) {
    const PackedCsr& s = *static_cast<const PackedCsr*>(t.weight);
    for (int64_t i = 0; i < t.rows * kVectors; ++i) V::store(t.acc + i * kLanes, V::zero());
    const int64_t k_blocks = (s.in_padded + s.k_block - 1) / s.k_block;
    const CsrCell* cell = s.cells + t.first_row / s.row_block * k_blocks;
    for (int64_t k = 0; k < k_blocks; ++k, ++cell) {
      int64_t v = cell->values, r = cell->rows;
      while (r < cell[1].rows) {
        // Rows lie in the order of their counts, which no prefetcher of the hardware foresees.
        if (r + kAhead + kRows <= cell[1].rows)
          for (int i = 0; i < kRows; ++i) fetch_row(t.acc + s.rows[r + kAhead + i] * kWidth);
        const int together = r + kRows <= cell[1].rows ? kRows : 1;
        int64_t count = 0;
        for (int i = 0; i < together; ++i) count += s.counts[r + i];
        alignas(64) float room[kRoom<T, kRows>];
        const float* values = widened<V>(static_cast<const T*>(s.values) + v, count, room);
        (together == kRows ? &rows<kRows> : &rows<1>)(t.x + k * s.k_block * kWidth, s.rows + r, s.counts + r, values, s.indices + v, t.acc);
        r += together;
        v += count;
      }
    }
  }
};

template <class V, class T, int kWidest>
static void csr_tokens(const SpmmTile& tile, int vectors) {
  if (vectors == kWidest)
    CsrTokens<V, kWidest>::template run<T>(tile);
  else if (vectors == 6)
    CsrTokens<V, 6>::template run<T>(tile);
  else if (vectors == 4)
    CsrTokens<V, 4>::template run<T>(tile);
  else if (vectors == 2)
    CsrTokens<V, 2>::template run<T>(tile);
  else
    CsrTokens<V, 1>::template run<T>(tile);
}

}  // namespace
}  // namespace sk

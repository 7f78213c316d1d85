// Unstructured rows, by the same blocking as many_tokens.h: a vector holds one input of L tokens, each non-zero is broadcast and multiplies
// the panel row that its index names. The panel of a k block stays in L1, so no gather and no reuse of x by chance is needed.
//
//   load    acc of the next rows                              per k block, in the order of the cell: most non-zeros first
//   widen   the values of these rows to float32               unless they are float32 already
//   expand  quad of weights -> broadcast, four index bytes -> panel rows
//   fma     acc += w * panel row
//   store   acc
//
// Floor: one FMA per non-zero and token vector, and like there two loads a cycle: 0.53 cycles an FMA in L1 of Zen 3. Loads of other
// things compete with those of the panel, so there are few: one quad and one word of indices for four non-zeros, one slot and one count for
// a row, and nothing that is loaded again after a store. Of 50 %, 30 % and 10 % kept an FMA takes 0.65, 0.69 and 0.85 cycles: 0.59 within
// rows, the rest at their ends: accumulators come from L2 and go back there.
//
// Rows of a cell are sorted by their count, so that the loop over a row's non-zeros ends where the branch predictor expects it, and so that
// rows that share the registers have about the same length.
#pragma once

#include "tile.h"

namespace sk {
namespace {

// Rows whose values are widened in one go; of float32, which need not be, all rows of a cell.
template <class T>
constexpr int kWidened = 32;
template <>
constexpr int kWidened<float> = 1 << 16;

template <class V, int kVectors>
struct CsrTokens {
  using F32 = typename V::F32;
  static constexpr int kLanes = V::kLanes;
  static constexpr int kWidth = kVectors * kLanes;
  static constexpr int kRows = kVectors == 1 ? 8 : rows_in_registers(kVectors);
  static constexpr int kAhead = kRows > 1 ? kRows : 2;  // rows; with kRows at most kCsrSlack

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

  // The last count % 4 non-zeros of a row.
  static inline void tail(F32 (&acc)[kVectors], const float* panel, const float* values, const uint8_t* indices, int64_t count) {
    if (count == 0) return;
    const typename V::Quad w = V::load_quad(values);
    const uint32_t word = load_indices(indices);
    step(acc, V::template splat<0>(w), row_of<0>(panel, word));
    if (count > 1) step(acc, V::template splat<1>(w), row_of<1>(panel, word));
    if (count > 2) step(acc, V::template splat<2>(w), row_of<2>(panel, word));
  }

  static inline void fetch_row(const float* acc_row) {
#pragma GCC unroll 8
    for (int i = 0; i < kWidth; i += 16) V::prefetch(acc_row + i);
  }

  // The next rows of a cell, of counts[0] >= counts[1] >= ... non-zeros that follow one another in `values` and `indices`.
  struct Rows {
    const uint16_t *slots, *counts;
    const float* values;
    const uint8_t* indices;
  };

  // The rows before the slot `last`, kCount at a time. Not inlined: kernels of all value types share it.
  template <int kCount>
  __attribute__((noinline)) static void multiply(const float* panel, Rows* next, const uint16_t* last, float* acc_rows) {
    Rows at = *next;
    while (at.slots < last) {
      F32 acc[kCount][kVectors];
      float* middle[kCount];  // of the row's accumulators; a register, so that no store makes the compiler load the slot again
      const float* w[kCount];
      const uint8_t* index[kCount];
      int64_t count[kCount];
      // Rows lie in the order of their counts, which no prefetcher of the hardware foresees. kCsrSlack lie behind the last.
#pragma GCC unroll 8
      for (int r = 0; r < kCount; ++r) fetch_row(acc_rows + at.slots[kAhead + r] * kWidth);
#pragma GCC unroll 8
      for (int r = 0; r < kCount; ++r) {
        middle[r] = acc_rows + at.slots[r] * kWidth + kWidth / 2;
        __asm__("" : "+r"(middle[r]));
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) acc[r][v] = V::load(middle[r] + v * kLanes - kWidth / 2);
        count[r] = at.counts[r];
        w[r] = at.values;
        index[r] = at.indices;
        at.values += count[r];
        at.indices += count[r];
      }
      at.slots += kCount;
      at.counts += kCount;
      int64_t end = 4;  // of the next quad
      for (; end <= count[kCount - 1]; end += 4) {
#pragma GCC unroll 8
        for (int r = 0; r < kCount; ++r) quad(acc[r], panel, w[r] + end - 4, index[r] + end - 4);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kCount; ++r) {
        int64_t own_end = end;
        for (; r + 1 < kCount && own_end <= count[r]; own_end += 4) quad(acc[r], panel, w[r] + own_end - 4, index[r] + own_end - 4);
        tail(acc[r], panel, w[r] + own_end - 4, index[r] + own_end - 4, count[r] % 4);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kCount; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) V::store(middle[r] + v * kLanes - kWidth / 2, acc[r][v]);
    }
    *next = at;
  }

  // All rows before the slot `last`.
  static inline void multiply_rows(const float* panel, Rows at, const uint16_t* last, float* acc_rows) {
    multiply<kRows>(panel, &at, at.slots + (last - at.slots) / kRows * kRows, acc_rows);
    if (at.slots < last) multiply<1>(panel, &at, last, acc_rows);
  }

  template <class T>
  static void run(const SpmmTile& t) {
    const PackedCsr& s = *static_cast<const PackedCsr*>(t.weight);
    for (int64_t i = 0; i < t.rows * kVectors; ++i) V::store(t.acc + i * kLanes, V::zero());
    const int64_t k_blocks = (s.in_padded + s.k_block - 1) / s.k_block;
    const CsrCell* cell = s.cells + t.first_row / s.row_block * k_blocks;
    for (int64_t k = 0; k < k_blocks; ++k, ++cell) {
      int64_t v = cell->values;
      for (int64_t r = cell->rows, end; r < cell[1].rows; r = end) {
        end = r + kWidened<T> < cell[1].rows ? r + kWidened<T> : cell[1].rows;
        int64_t count = 0;
        for (int64_t i = r; i < end; ++i) count += s.counts[i];
        alignas(64) float room[kRoom<T, kWidened<T>>];
        const float* values = widened<V>(static_cast<const T*>(s.values) + v, count, room);
        multiply_rows(t.x + k * s.k_block * kWidth, {s.rows + r, s.counts + r, values, s.indices + v}, s.rows + end, t.acc);
        v += count;
      }
    }
  }
};

template <class V, class T, int kWidest>
static void csr_tokens(const SpmmTile& tile, int vectors) {
  if (vectors == kWidest)
    CsrTokens<V, kWidest>::template run<T>(tile);
  else if (vectors == 4)
    CsrTokens<V, 4>::template run<T>(tile);
  else if (vectors == 2)
    CsrTokens<V, 2>::template run<T>(tile);
  else
    CsrTokens<V, 1>::template run<T>(tile);
}

}  // namespace
}  // namespace sk

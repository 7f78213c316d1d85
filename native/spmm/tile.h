// What both loop nests of spmm (many_tokens.h, few_tokens.h) share. In both, every output is summed over its kept weights in ascending
// k, one multiply-add after another, so y depends neither on the regime nor on the number of tokens or threads.
#pragma once

#include "kernel.h"

namespace sk {
namespace {

constexpr int field_bits(int m) { return m == 4 ? 2 : m <= 16 ? 4 : 8; }

// Widest panel of a kernel of so many kept weights (N = 0: any), see nm_panel_vectors(). A row of four vectors is a power of two of bytes,
// and 128 inputs of it are 16 KB.
constexpr int widest_panel(int n, int m, int widest) { return n > 0 && 4 * n <= m && widest > 4 ? 4 : widest; }

// Rows that share the registers: independent accumulator chains hide the latency of the FMA (4 cycles, 2 a cycle: 8 chains).
constexpr int rows_in_registers(int vectors) { return vectors >= 7 ? 1 : vectors >= 3 ? 2 : 4; }

// The row of a panel of kWidth tokens whose number is the field at `bit` of the word, a bit field of the form kField. A row is 1, 3 or 5
// times a power of two of bytes: a rotation puts the field where it counts them.
template <int kWidth, uint32_t kField>
inline const float* named_row(const float* panel, uint32_t word, int bit) {
  constexpr int kShift = __builtin_ctz(kWidth * sizeof(float));
  constexpr uint64_t kOdd = kWidth * sizeof(float) >> kShift;
  const int right = (bit - kShift) & 31;
  const uint32_t bytes = (word >> right | word << (-right & 31)) & kField << kShift;
  return reinterpret_cast<const float*>(reinterpret_cast<const char*>(panel) + bytes * kOdd);
}

// Where in its row group the quad of row r lies.
template <int kLanes>
constexpr int64_t quad_of_row(int64_t r) {
  return r % 4 * (kLanes / 4) + r / 4;
}

// Row, in its row group, of quad q.
template <int kLanes>
constexpr int64_t row_of_quad(int64_t q) {
  return q % (kLanes / 4) * 4 + q / (kLanes / 4);
}

// Tokens that few() works on at once where it is given so many: 1, 2 or 4.
constexpr int few_at_once(int64_t tokens) { return tokens > 2 ? 4 : static_cast<int>(tokens); }

// Whether to work on the sums of two vectors of outputs at once where there is one token: each sum is a chain of additions, which wait 4
// cycles for each other, and in that time memory gives about so many bytes. Longer vectors are better read as the one stream that they are.
template <int kLanes, class T>
constexpr bool two_chains = kLanes * sizeof(T) < 32;

// Of weights that are streamed once, `bytes` are read now: those so far ahead are on their way to L1. The hardware's prefetchers alone
// leave an eighth of the bandwidth unused.
template <class V>
inline void fetch_ahead(const void* weights, int64_t bytes) {
  constexpr int64_t kAhead = 1280;
  for (int64_t i = 0; i < bytes; i += 64) V::prefetch(static_cast<const char*>(weights) + kAhead + i);
}

// Most kept weights of a row in one k block (pack.cc: nm_layout).
constexpr int kMostKept = 128;

// Kept weights as float32: where they lie, or written to `room`, of kRoom floats for so many rows. Reads up to L - 1 elements more.
template <class T, int kRows>
constexpr int kRoom = kMostKept * kRows + 16;
template <int kRows>
constexpr int kRoom<float, kRows> = 1;

template <class V>
inline const float* widened(const float* values, int64_t, float*) {
  return values;
}
template <class V, class T>
inline const float* widened(const T* values, int64_t count, float* room) {
  for (int64_t i = 0; i < count; i += V::kLanes) V::store(room + i, V::load(values + i));
  return room;
}

}  // namespace
}  // namespace sk

// What spmm.cc and the ISA files share: the packed format and the moves that one kernel row offers. Plain data, no inline code
// (an inline function here would be compiled with every ISA's flags, and the linker keeps any one of the copies).
//
// Legend: M, N of the N:M pattern are written m, n (n of every m kept); L = lanes of the vector, W = tokens in a panel (vectors * L).
//
// Packed weight S[out, in]: rows in row groups of L, row groups in row blocks, inputs in k blocks, stored in the order the loops read:
//
//   row block 0 (row_block rows)                                  row block 1 ...
//   +- k block 0 (k_block inputs) -+- k block 1 -+ ... -+
//   | row group 0 | row group 1 |..|             |      |
//
//   values of one (k block, row group):  [kept / 4][L quads][4]  quad: four consecutive kept weights of a row; the quads lie in the
//                                                                order rows 0, 4, 8 .. | 1, 5, 9 .. | 2, 6, 10 .. | 3, 7, 11 ..
//   fields of one (k block, row group):  [kept / F][L rows]      u32; field j = bits [b*j, b*j + b) = index of the kept weight in its group
//
//   b = 2, 4, 4, 8 bits for m = 4, 8, 16, 32; F = 32 / b fields a word. kept = k_block / m * n is a multiple of F: `in` is padded with
//   zero weights to a multiple of the unit m * F / gcd(n, F), `out` to a multiple of L. Nothing is read past the arrays.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../simd/activation.h"
#include "../simd/half.h"

namespace sk {

struct PackedWeight {
  int lanes;
  int64_t in, in_padded;    // inputs; rounded up to the unit
  int64_t out, out_padded;  // outputs; packed rows: rounded up to lanes, and twice as many where there is a gate
  int64_t k_block;          // inputs per k block (the last may be shorter, always whole units)
  int64_t row_block;        // rows per row block (the last may be shorter, always whole row groups)
  int panel_vectors;        // width of full panels of x
};

// For products of bytes (by_bytes) the quads of a row group lie in the order of the rows, and field j of a word at bits 8 * (j % 4) +
// b * (j / 4): the four fields of a quad are bits of the four bytes of the word.
//
// int4 values lie in words as the fields do, [kept / 8][L rows] u32: kept weight j is the nibble q at bits 4 * (j % 8), by_bytes at bits
// 8 * (j % 4) + 4 * (j / 4 % 2), and stands for scale * (q - zero).
struct PackedNm : PackedWeight {
  int n, m;
  bool by_bytes;
  const void* values;      // [out_padded * in_padded / m * n] of the kernel's value type
  const uint32_t* fields;  // [out_padded * in_padded / m * n / F]
  struct Levels {
    int64_t inputs;       // that share a scale: a divisor of k_block; 0: no int4
    const Half* scales;   // of one (k block, row group): [inputs of the block / inputs, rounded up][L rows]
    const int8_t* zeros;  // as the scales; null: 8
  } levels;
};

// int4 groups: the weights of `group` consecutive inputs of a row are kept or dropped as one and share a scale. Row r, of those kept in
// ascending order, has the groups rows[r] .. rows[r + 1]; they are filled up with copies of the last one, of scale 0, to whole vectors of
// words of 8 * L weights: [group * groups / (8 * L)][L] u32, in which nibble j of word l is weight j * L + l. The unit is the group.
//
// For products of bytes (by_bytes) whole steps of two vectors of words are filled up, of 16 * L weights, in units of 16 that follow one
// another: piece p of 16 bytes of the first vector has unit 4 * p in the lower nibbles of its bytes and unit 4 * p + 1 in the upper ones,
// that of the second one 4 * p + 2 and 4 * p + 3.
struct PackedGroups : PackedWeight {
  int group;
  bool by_bytes;
  const int64_t* rows;      // [out_padded + 1]
  const uint16_t* columns;  // [groups]: first input / group
  const Half* scales;       // [groups], then L zeros
  const int8_t* zeros;      // as the scales; null: 8
  const uint32_t* words;
};

// The value type of int4 rows in kernels.def.
struct Int4 {};

// Unstructured S[out, in] by cells: a cell is one k block of one row block. Its rows, those with most non-zeros first, have
//
//   rows     u16  where the row's accumulators lie in the row block (its quad); kCsrSlack zeros behind the last ones
//   counts   u16  its non-zeros in this k block, at least 1
//   values   [count]  and  indices u8 [count]: input in the k block, ascending; L zeros behind the last values,
//                                        kCsrSlack behind the last indices
//
// cells[c] says where the cell's rows and values begin, cells[c + 1] where they end. The unit is L.
constexpr int kCsrSlack = 16;
struct CsrCell {
  int64_t rows, values;
};

struct PackedCsr : PackedWeight {
  const CsrCell* cells;  // [row blocks][k blocks] + 1
  const uint16_t *rows, *counts;
  const void* values;  // of the kernel's value type
  const uint8_t* indices;
};

// Bands: `height` packed rows that follow one another share their columns. For each k block of a row block, for each of its bands:
//
//   counts   u8           columns in which a row of the band has a non-zero weight
//   indices  u8 [count]   inputs in the k block, ascending
//   values   [count][height]; L zeros behind the last values
//
// blocks[b]: the columns before row block b. The unit is L; height divides L.
struct PackedBands : PackedWeight {
  int height;
  const int64_t* blocks;
  const uint8_t *counts, *indices;
  const void* values;  // of the kernel's value type
};

// One row block times a few or a panel of tokens.
struct SpmmTile {
  const PackedWeight* weight;  // of the kernel's format
  int64_t first_row;           // of the row block
  int64_t rows;                // rows of the row block, padded to lanes
  const float* x;              // many: panel [in_padded][W]; few: [tokens][in_padded]; 64-byte aligned. int8 activations: SpmmQuantise
  const float* x_scale;        // of int8 activations: [W] or [tokens]; not of int4
  int64_t tokens;              // valid tokens in x
  float* acc;                  // 64-byte aligned. many: [row groups][L quads][W]; few: [row groups][1, 2 or 4 tokens][L rows]
};

// What becomes of the sums: y = act(scale * sum + bias) + residual; gated: y = act(..) * (scale * sum + bias) + residual of two row groups,
// of the gate and of the weight, that follow one another.
struct SpmmEpilogue {
  const float* scale;  // [out_padded] of quantised values; null: 1
  const float* bias;   // [out_padded], zeros where there is none
  Activation activation;
  bool gated;
  const void* residual;  // null: none; else as y
  void* y;               // the tile's first token's row of the output [.., out]
};

// What the kernels of one ISA have in common. Three entries: float32, float16, bfloat16.
struct SpmmMoves {
  // Copies x [tokens, in] to a panel [in_padded][vectors * lanes], k range [k0, k1); missing tokens and inputs become 0.
  void (*pack[3])(const void* x, int64_t tokens, int64_t in, int64_t k0, int64_t k1, int vectors, float* panel);
  // Copies x [tokens, in] to rows [tokens][in_padded].
  void (*widen[3])(const void* x, int64_t tokens, int64_t in, int64_t in_padded, float* rows);
  // acc -> epilogue -> y, after many() and after few().
  void (*finish_many[3])(const SpmmTile& tile, int vectors, const SpmmEpilogue& epilogue);
  void (*finish_few[3])(const SpmmTile& tile, const SpmmEpilogue& epilogue);
};

// 16 inputs of a token and their scale, which few() reads together.
struct Int8Unit {
  int8_t q[16];    // where add_128 says so q + 128, without a sign
  float scale[4];  // four times the same
};

// x as int8: x[t, i] = scale[t] * q[t, i], q in -127 .. 127. Entries as of SpmmMoves.
constexpr int kInt8RowPad = 16;  // bytes that few() reads beyond a row
struct SpmmQuantise {
  int panel_bytes;  // of a panel, for each input and token; 0: there are none
  void (*measure[3])(const void* x, int64_t tokens, int64_t in, float* scale);
  // To a panel, k range [k0, k1): of int16 [in_padded][vectors * lanes], in pairs of vectors as add_pairs() takes them; or as in
  // int8_pairs.h.
  void (*pack[3])(const void* x, const float* scale, int64_t tokens, int64_t in, int64_t k0, int64_t k1, int vectors, int16_t* panel);
  // To rows of int8 [tokens][in_padded + kInt8RowPad].
  void (*rows[3])(const void* x, const float* scale, int64_t tokens, int64_t in, int64_t in_padded, int8_t* rows);
  // For int4 weights, instead of all the others: to rows of units [tokens][in_padded / 16], each `group` inputs of a token with a scale.
  void (*units[3])(const void* x, int64_t tokens, int64_t in, int64_t in_padded, int64_t group, bool add_128, Int8Unit* units);
  bool add_128;
};

struct SpmmKernel {
  const char* name;  // spmm_f32_2x4_avx2
  int n, m;          // n = 0: any; m = 0: unstructured, or bands
  int height;        // of bands; 0: none
  int lanes;
  int panel_vectors;       // widest panel, in vectors
  int few_tokens;          // most tokens of one call of few(), 0 where there is none
  const SpmmMoves* moves;  // null: those of the other kernels of the ISA
  // Broadcast weights over a panel of panel_vectors, 6, 4 or 2 vectors of tokens, 1 too if there is no few(): acc = S * panel, all k
  // blocks. Null: few() does these too.
  void (*many)(const SpmmTile& tile, int vectors);
  // Outputs in lanes, weights streamed once: 1 .. few_tokens tokens. Null: many() does these too.
  void (*few)(const SpmmTile& tile);
  const SpmmQuantise* quantise;  // of int8 activations, else null
};

}  // namespace sk

// What planes.cc and the ISA files share: the packed weight and the move that one kernel row offers. Plain data, no inline code.
//
// Legend: L lanes of the vector, B output channels of a block that share their input channels (1, 2 or 4). A strip is a few vectors of
// pixels.
//
// Packed weight S[out, in] by cells: a cell is one k block of one row block. For each block of rows of a cell, those with most inputs
// first:
//
//   rows     u16  which block of the row block it is
//   counts   u16  the inputs that it keeps in this k block
//   values   [count][B]  and  indices u8 [count]: input in the k block, ascending
//
// Blocks without inputs are left out, but not of the first k block (outputs begin with their bias there) nor of the last (they end there).
// cells[c] says where the cell's rows and values (in inputs) begin, cells[c + 1] where they end. Nothing is read past the arrays.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sk {

struct PlanesCell {
  int64_t rows, values;
};

struct PackedPlanes {
  int64_t in, out;
  int64_t k_block;          // inputs; the last may have less
  int64_t row_block;        // output channels, a multiple of B; the last may have less
  const PlanesCell* cells;  // [row blocks][k blocks] + 1
  const uint16_t *rows, *counts;
  const float* values;
  const uint8_t* indices;
  const float* bias;  // [out]
};

// Activations of the fused epilogue.
enum class PlanesActivation : int { kNone = 0, kRelu = 1, kRelu6 = 2 };

// One cell times one strip of pixels: y += S x.
struct PlanesTile {
  const PackedPlanes* weight;
  int64_t row_block, k_block;  // which
  bool first, last;            // of the k blocks: start from the bias; through the activation
  PlanesActivation activation;
  const float* bias;  // of the row block's first output channel
  const float* x;     // of the k block's first input; the next lies x_step floats further
  int64_t x_step;
  bool packs;    // x into the panel; otherwise it is there
  float* panel;  // aligned, [inputs][pixels of the strip]
  float* sums;   // aligned, between k blocks: of the row block's first output channel; the next lies sums_step floats further
  int64_t sums_step;
  float* y;  // the same of y
  int64_t y_step;
};

struct PlanesKernel {
  const char* name;  // planes_f32_csr2_avx2
  int block, lanes;
  int widest;                                        // strip, in vectors
  void (*run)(const PlanesTile& tile, int vectors);  // of a strip: 1 to widest
};

}  // namespace sk

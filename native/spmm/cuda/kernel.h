// What the CUDA plan and the kernels share: the packed weights and the arguments of one product. No CUDA headers.
//
// Packed rows are those of weight.h: with a gate, groups of kGateRows rows of the gate and of the weight take turns, so that the block of
// threads that has the sums of a gated output has those of its gate, too.
//
// Tiles, for sparse tensor cores. Weight S[rows, in], 2:4 along `in`, in tiles of 128 rows x 128 bytes of a dense row (64 inputs of 16
// bits, 128 of 8), the tiles of a row block one after the other:
//
//   tiles [rows_padded / 128][in_padded / inputs of a tile] of tile_bytes():
//     values    [128 rows][64 bytes], two rows in a line of 128 bytes, as shared memory wants them: 16-byte chunk c of row r lies at line
//               r / 2, position (r % 2) * 4 + (c ^ (r / 2) % 4); ldmatrix then meets no bank twice. Or, of 8 bits for products of 16:
//               [4 blocks of 32 rows][2 steps][32 lanes][2 m16 tiles][8 bytes] of 128 + value, one load of 16 bytes for each lane:
//               lane 4g + t has of the 16 kept values of a row in a step 2t, 2t + 1 of rows g and g + 8, then 2t + 8, 2t + 9 of both
//               Or, of 4 bits: [4 blocks of 32 rows][2 steps][32 lanes][2 m16 tiles] words of the same eight values each: the nibble at
//               bit 4i + 16j is number j of the two that register i of the lane has of the m16 tile
//     metadata  u32 words, one for each lane of a mma.sp, with four bits for each group of four inputs. Two steps, of half the inputs each:
//       16-bit    [4 blocks of 32 rows][2 steps][32 lanes]: lane 4g + t has rows g + 16 (t / 2) (low half) and that + 8 (high half),
//                 inputs 16 (t % 2) .. + 15
//       8-bit     [8 blocks of 16 rows][2 steps][32 lanes]: lane 4g + t has row g + 8 (t % 2), inputs 32 (t / 2) .. + 31
//     levels    of 4-bit values, one for all inputs of the tile, or one for each step:
//       scales      float16 [4 blocks of 32 rows][8 g][rows g, g + 8, g + 16, g + 24]
//       zeros       perhaps, bytes in this order, of rows g + 8 and g + 24 times 16
//
// A tile is what a block of threads copies to shared memory at a time, as it is. Padding is zero values with legal metadata.
//
// Cells, for CUDA cores and any pattern. A cell is 64 rows x 64 inputs; its rows hold their non-zeros in quads, the last filled up with
// zeros:
//
//   starts   [cells * 64 + 1] u32   quad where each row of a cell begins; cells are ordered as tiles are
//   values   [quads + 1][4] of the type of the weight, int8 ones without their scale
//   indices  [quads + 1][4] u8      input in the cell
//   order    [rows_padded] u8       row (of its 64) in each place: rows are dealt to the eight warps so that all have about as many
//   non-zeros
//
// Gathered tiles, for tensor cores, where the rows of a block use the same few columns (V:N:M, blocks): as tiles, of 128 rows where V is a
// multiple of 128 and else of 64, but their inputs are the columns that the block uses, so that there is a tile for
//
//   64 columns    four of each group of M, of which each row has at most two (VENOM): 2:4. Of each V rows of the block by themselves: the
//                 others have zeros there
//   32 columns    any: two of each four inputs of a tile, so that mma.sp is a dense product of the columns that there are, at its speed
//
//   starts   [row blocks + 1] u32   tile where each row block begins
//   columns  [tiles][64 or 32] i32  inputs; what fills up a tile is a row of zeros behind the last input
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../core/tensor.h"
#include "../kernel.h"

namespace sk {

constexpr int kTileRows = 128, kHalfTileRows = 64, kTileRowBytes = 128, kTileGateRows = 64;

// What the values of a tile are, and what they are multiplied as.
enum class TileForm {
  kHalves,                // 16 bits; or 32, tf32, two units of 16 bits each
  kBytes,                 // 8 bits, as they are: W8A8
  kByteLanes,             // 8 bits, in the order of the lanes, which widen them to float16
  kNibbleLanes,           // 4 bits, likewise, with scales
  kNibbleLanesWithZeros,  // and zero points
};
constexpr bool is_nibbles(TileForm form) { return form == TileForm::kNibbleLanes || form == TileForm::kNibbleLanesWithZeros; }
constexpr int tile_value_bytes(TileForm form) {
  return kTileRows * kTileRowBytes / (is_nibbles(form) ? 8 : form == TileForm::kByteLanes ? 4 : 2);
}
constexpr int kLevelsAt = tile_value_bytes(TileForm::kNibbleLanes) + 1024, kMostLevels = 2;
constexpr int level_bytes(TileForm form) { return !is_nibbles(form) ? 0 : kTileRows * (form == TileForm::kNibbleLanes ? 2 : 3); }
constexpr int tile_bytes(TileForm form, int levels = kMostLevels) {
  return tile_value_bytes(form) + (form == TileForm::kBytes ? 2048 : 1024) + levels * level_bytes(form);
}

constexpr int kCellRows = 64, kCellInputs = 64, kCellWarps = 8, kCellGateRows = 32;

struct SpmmCells {
  const uint32_t* starts;
  DType type;
  const void* values;
  const uint8_t *indices, *order;
};

// y = act(x * S^T + bias) + residual, or with a gate act(x * gate^T + its bias) * (x * S^T + bias) + residual; all pointers to device
// memory.
struct SpmmCudaProduct {
  const void* tiles;  // or
  SpmmCells cells;
  int tile_bytes;          // where values are of 4 bits, which have one or two levels
  bool zero_points;        // of these
  int64_t k_tiles;         // tiles or cells of a row block
  const uint32_t* starts;  // of gathered tiles
  const int32_t* columns;
  int tile_columns;           // 64 or 32
  const float *scale, *bias;  // of the packed rows, padded to kLargeRows; scale: of int8 values, else null
  int64_t rows, gate_rows;    // packed rows; in groups of so many of gate and weight, 0 without a gate
  int64_t in, out, tokens;
  const void* x;         // as `convert` of the kernel makes it
  int64_t x_pitch;       // bytes
  const float* x_scale;  // of the tokens, where x was scaled; else null
  void* y;               // [tokens, out]
  DType y_type;
  const void* residual;  // as y, and it may be y; null: none
  Activation activation;
  int splits;             // of the tiles of a row block, among as many blocks of threads; 1: none
  float* partial;         // [splits][tokens][partial_pitch] sums of the packed rows, where splits > 1
  int64_t partial_pitch;  // rows, rounded up to 8
};

// What a block of threads works on.
enum class SpmmShape {
  kLarge,  // tiles but lanes: 256 rows x 128 tokens, large_shared_bytes() of shared memory (sm_80, sm_90)
  kMany,   // 128 tokens; tiles: 128 rows
  kFew,    // 32 tokens; tiles: 128 rows
};
constexpr int kManyTokens = 128, kFewTokens = 32, kLargeRows = 256;
constexpr int large_shared_bytes(TileForm form) { return 4 * (2 * tile_bytes(form) + kManyTokens * kTileRowBytes); }

// The transposed int8 x and behind it the same in rows, from which it is made.
constexpr int64_t int8_panel_bytes(int64_t in_padded, int64_t pitch) { return 2 * in_padded * pitch; }

// With one of zeros at least.
constexpr int64_t gathered_inputs(int64_t in) { return (in + 32) / 32 * 32; }

// One row of kernels.def. The functions put work on the stream and return a cudaError_t.
struct SpmmCudaKernel {
  const char* name;  // spmm_f16_2x4_cuda
  // x [tokens, in] of float32, float16 or bfloat16 as multiply() takes it. Tiles: rows of `pitch` bytes, a multiple of 16, of the type that
  // is multiplied; where the weight is int8, with a scale of each token. Cells: transposed, float32 [in, padded to 64][tokens, padded to a
  // row of `pitch` bytes], or int8 with a scale of each token, which have int8_panel_bytes(). Gathered tiles: transposed, of the type of
  // the weight [gathered_inputs(in)][tokens, padded to a row of `pitch` bytes].
  int (*convert)(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, float* scales, void* stream);
  int (*multiply)(const SpmmCudaProduct& product, SpmmShape shape, void* stream);
};

}  // namespace sk

// What the CUDA plan and the kernels share: the packed weights and the arguments of one product. No CUDA headers.
//
// Tiles, for sparse tensor cores. Weight S[out, in], 2:4 along `in`, in tiles of 128 rows x 128 bytes of a dense row (64 inputs of 16
// bits), the tiles of a row block one after the other:
//
//   tiles [out_padded / 128][in_padded / 64] of kTileBytes:
//     values    [128 rows][32 kept] 16-bit, 64 bytes a row, two rows in a line of 128 bytes, as shared memory wants them: 16-byte chunk c
//     of
//               row r lies at line r / 2, position (r % 2) * 4 + (c ^ (r / 2) % 4); ldmatrix then meets no bank twice
//     metadata  [4 blocks of 32 rows][2 steps of 32 inputs][32 lanes] u32, the word that each lane hands to mma.sp: lane 4g + t has rows
//               g + 16 (t / 2) (low half) and that + 8 (high half), inputs 16 (t % 2) .. + 15, four bits for each group of four inputs
//
// A tile is what a block of threads copies to shared memory at a time, as it is. Padding is zero values with legal metadata.
//
// Cells, for CUDA cores and any pattern. A cell is 64 rows x 64 inputs; its rows hold their non-zeros in quads, the last filled up with
// zeros:
//
//   starts   [cells * 64 + 1] u32   quad where each row of a cell begins; cells are ordered as tiles are
//   values   [quads][4] f32
//   indices  [quads][4] u8          input in the cell
//   order    [out_padded] u8        row (of its 64) in each place: rows are dealt to the eight warps so that all have about as many
//   non-zeros
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../core/tensor.h"
#include "../kernel.h"

namespace sk {

constexpr int kTileRows = 128, kTileRowBytes = 128;
constexpr int kTileValueBytes = kTileRows * kTileRowBytes / 2, kTileMetadataBytes = 1024;
constexpr int kTileBytes = kTileValueBytes + kTileMetadataBytes;

constexpr int kCellRows = 64, kCellInputs = 64, kCellWarps = 8;

struct SpmmCells {
  const uint32_t* starts;
  const float* values;
  const uint8_t *indices, *order;
};

// y = act(x * S^T + bias), all pointers to device memory.
struct SpmmCudaProduct {
  const void* tiles;  // or
  SpmmCells cells;
  int64_t k_tiles;    // tiles or cells of a row block
  const float* bias;  // padded to 128 outputs
  int64_t in, out, tokens;
  const void* x;    // as `convert` of the kernel makes it
  int64_t x_pitch;  // bytes
  void* y;          // [tokens, out]
  DType y_type;
  Activation activation;
  int splits;             // of the tiles of a row block, among as many blocks of threads; 1: none
  float* partial;         // [splits][tokens][partial_pitch] sums, where splits > 1
  int64_t partial_pitch;  // out, rounded up to 8
};

// What a block of threads works on.
enum class SpmmShape {
  kLarge,  // tiles: 256 outputs x 128 tokens, 104 KB of shared memory (sm_80, sm_90)
  kMany,   // 128 tokens; tiles: 128 outputs
  kFew,    // 32 tokens; tiles: 128 outputs
};
constexpr int kManyTokens = 128, kFewTokens = 32, kLargeOutputs = 256,
              kLargeSharedBytes = 3 * (2 * kTileBytes + kManyTokens * kTileRowBytes);

// One row of kernels.def. The functions put work on the stream and return a cudaError_t.
struct SpmmCudaKernel {
  const char* name;  // spmm_f16_2x4_cuda
  // x [tokens, in] of float32, float16 or bfloat16 as multiply() takes it. Tiles: rows of `pitch` bytes, a multiple of 16, of the type of
  // the weight. Cells: transposed, float32 [in, padded to 64][tokens, padded to pitch / 4].
  int (*convert)(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, void* stream);
  int (*multiply)(const SpmmCudaProduct& product, SpmmShape shape, void* stream);
};

}  // namespace sk

// 2:4 weights as the tiles that kernel.h draws.
#pragma once

#include <cstdint>

#include "../../simd/half.h"
#include "kernel.h"

namespace sk {

// A 2:4 weight [rows, in], row-major, as files keep it: what nm_pack makes with one lane and one k block.
struct CanonicalWeight {
  int64_t rows, in_padded;  // in_padded: a multiple of 32
  TileForm form;
  const uint8_t* values;          // [rows][in_padded / 2] elements; of 4 bits the lower half of a byte first
  const uint32_t* fields;         // [rows][in_padded / 32]: two bits for each kept value, its place in its group of four
  const Half* scales = nullptr;   // of 4-bit values: [rows][in_padded / level_inputs, rounded up]
  const int8_t* zeros = nullptr;  // as the scales; null: 8
  int level_inputs = 0;           // 32 or 64
  int tile_rows = kTileRows;

  int tile_inputs() const { return form == TileForm::kBytes ? 128 : 64; }
  int levels() const { return level_inputs == 0 ? 0 : tile_inputs() / level_inputs; }  // of a tile
  int element_bytes() const { return form == TileForm::kHalves ? 2 : 1; }
};

// One tile; what lies outside the weight becomes zeros with legal metadata.
void pack_tile(const CanonicalWeight& w, int64_t first_row, int64_t k, uint8_t* tile);

}  // namespace sk

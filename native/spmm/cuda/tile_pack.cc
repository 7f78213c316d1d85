#include "tile_pack.h"

#include <cstring>

#include "../../core/memory.h"

namespace sk {
namespace {

constexpr uint32_t kAnyLegal = 0x44444444;  // keeps inputs 0 and 1 of each group

// The metadata of 32 inputs, and of 16, from `k` on: four bits for each of their groups.
uint32_t metadata32(const CanonicalWeight& w, int64_t row, int64_t k) {
  return row < w.rows && k < w.in_padded ? w.fields[row * (w.in_padded / 32) + k / 32] : kAnyLegal;
}
uint32_t metadata16(const CanonicalWeight& w, int64_t row, int64_t k) { return metadata32(w, row, k) >> k % 32 & 0xFFFF; }

// The word of a lane for one step of a tile: kernel.h draws which rows and inputs it has.
uint32_t metadata_word(const CanonicalWeight& w, int64_t first_row, int64_t k, int lane) {
  const int g = lane / 4, t = lane % 4;
  if (w.form == TileForm::kBytes) return metadata32(w, first_row + g + 8 * (t % 2), k + 32 * (t / 2));
  const int64_t row = first_row + g + 16 * (t / 2);
  return metadata16(w, row, k + 16 * (t % 2)) | metadata16(w, row + 8, k + 16 * (t % 2)) << 16;
}

// Rows for ldmatrix.
void pack_matrix_rows(const CanonicalWeight& w, int64_t first_row, int64_t k0, uint8_t* to) {
  for (int r = 0; r < w.tile_rows; ++r) {
    const int64_t row = first_row + r;
    for (int chunk = 0; chunk < 4 && row < w.rows; ++chunk) {
      const int64_t k = k0 + chunk * w.tile_inputs() / 4;  // a chunk of 16 bytes is what is kept of a quarter of the inputs
      if (k >= w.in_padded) break;
      const int position = (r % 2) * 4 + (chunk ^ (r / 2) % 4);
      std::memcpy(to + (r / 2) * 128 + position * 16, w.values + (row * w.in_padded + k) / 2 * w.element_bytes(), 16);
    }
  }
}

// An 8-bit value; `column`: of the kept ones.
int value8(const CanonicalWeight& w, int64_t row, int64_t column) {
  const int64_t columns = w.in_padded / 2;
  return row < w.rows && column < columns ? static_cast<int8_t>(w.values[row * columns + column]) : 0;
}

// What each lane widens of an m16 tile in a step, in the order of its registers.
void pack_lanes(const CanonicalWeight& w, int64_t first_row, int64_t k0, uint8_t* to) {
  for (int pair = 0; pair < kTileRows / 32; ++pair)
    for (int step = 0; step < 2; ++step)
      for (int lane = 0; lane < 32; ++lane)
        for (int i = 0; i < 16; ++i) {
          const int64_t row = first_row + pair * 32 + i / 8 * 16 + lane / 4 + i / 2 % 2 * 8;
          *to++ = static_cast<uint8_t>(128 + value8(w, row, k0 / 2 + step * 16 + i / 4 % 2 * 8 + lane % 4 * 2 + i % 2));
        }
}

// A 4-bit value; what there is none of meets a scale of 0.
uint32_t value4(const CanonicalWeight& w, int64_t row, int64_t column) {
  const int64_t columns = w.in_padded / 2;
  return row < w.rows && column < columns ? w.values[(row * columns + column) / 2] >> column % 2 * 4 & 15 : 0;
}

void pack_nibble_lanes(const CanonicalWeight& w, int64_t first_row, int64_t k0, uint8_t* to) {
  for (int pair = 0; pair < kTileRows / 32; ++pair)
    for (int step = 0; step < 2; ++step)
      for (int lane = 0; lane < 32; ++lane)
        for (int tile = 0; tile < 2; ++tile, to += 4) {
          uint32_t word = 0;
          for (int i = 0; i < 4; ++i)
            for (int j = 0; j < 2; ++j) {
              const int64_t row = first_row + pair * 32 + tile * 16 + lane / 4 + i % 2 * 8;
              word |= value4(w, row, k0 / 2 + step * 16 + i / 2 * 8 + lane % 4 * 2 + j) << (4 * i + 16 * j);
            }
          std::memcpy(to, &word, 4);
        }
}

// Each lane loads those of four rows at once.
void pack_levels(const CanonicalWeight& w, int64_t first_row, int64_t k0, uint8_t* to) {
  const int64_t per_row = ceil_div(w.in_padded, w.level_inputs);
  for (int64_t level = k0 / w.level_inputs; level < (k0 + w.tile_inputs()) / w.level_inputs; ++level, to += level_bytes(w.form))
    for (int i = 0; i < kTileRows; ++i) {
      const int64_t row = first_row + i / 32 * 32 + i % 4 * 8 + i % 32 / 4, at = row * per_row + level;
      const bool present = row < w.rows && level < per_row;
      const Half scale = present ? w.scales[at] : Half{0};
      std::memcpy(to + i * 2, &scale, 2);
      if (w.zeros) to[kTileRows * 2 + i] = static_cast<uint8_t>(present ? w.zeros[at] << i % 2 * 4 : 0);
    }
}

}  // namespace

void pack_tile(const CanonicalWeight& w, int64_t first_row, int64_t k0, uint8_t* tile) {
  const auto value_bytes = static_cast<size_t>(tile_value_bytes(w.form)) * static_cast<size_t>(w.tile_rows) / kTileRows;
  std::memset(tile, 0, value_bytes);
  if (w.form == TileForm::kByteLanes)
    pack_lanes(w, first_row, k0, tile);
  else if (is_nibbles(w.form))
    pack_nibble_lanes(w, first_row, k0, tile);
  else
    pack_matrix_rows(w, first_row, k0, tile);
  uint8_t* metadata = tile + value_bytes;
  const int rows_of_word = w.form == TileForm::kBytes ? 16 : 32;
  for (int row = 0; row < w.tile_rows; row += rows_of_word)
    for (int step = 0; step < 2; ++step)
      for (int lane = 0; lane < 32; ++lane, metadata += 4) {
        const uint32_t word = metadata_word(w, first_row + row, k0 + step * w.tile_inputs() / 2, lane);
        std::memcpy(metadata, &word, 4);
      }
  if (is_nibbles(w.form)) pack_levels(w, first_row, k0, metadata);
}

}  // namespace sk

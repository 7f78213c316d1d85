#include "pack.h"

#include <cstring>

#include "../../core/parallel.h"
#include "../pack.h"
#include "kernel.h"

namespace sk {
namespace {

constexpr int kPackThreads = 1024;
constexpr int kTileInputs = kTileRowBytes / 2;
constexpr uint32_t kAnyLegal = 0x4444;  // keeps inputs 0 and 1 of each group

// The metadata of 16 inputs from `k` on: four bits for each of their groups.
uint32_t metadata16(const CanonicalWeight& w, int64_t row, int64_t k) {
  if (row >= w.out || k >= w.in_padded) return kAnyLegal;
  const uint32_t word = w.fields[row * (w.in_padded / 32) + k / 32];
  return k % 32 == 0 ? word & 0xFFFF : word >> 16;
}

void pack_tile(const CanonicalWeight& w, int64_t first_row, int64_t k0, uint8_t* tile) {
  std::memset(tile, 0, kTileValueBytes);
  for (int r = 0; r < kTileRows; ++r) {
    const int64_t row = first_row + r;
    for (int chunk = 0; chunk < 4 && row < w.out; ++chunk) {
      const int64_t k = k0 + chunk * 16;  // a chunk of 16 bytes is what is kept of 16 inputs
      if (k >= w.in_padded) break;
      const int position = (r % 2) * 4 + (chunk ^ (r / 2) % 4);
      std::memcpy(tile + (r / 2) * 128 + position * 16, w.values + row * (w.in_padded / 2) + k / 2, 16);
    }
  }
  uint8_t* metadata = tile + kTileValueBytes;
  for (int block = 0; block < kTileRows / 32; ++block)
    for (int step = 0; step < 2; ++step)
      for (int lane = 0; lane < 32; ++lane, metadata += 4) {
        const int g = lane / 4, t = lane % 4;
        const int64_t row = first_row + block * 32 + g + 16 * (t / 2), k = k0 + step * 32 + 16 * (t % 2);
        const uint32_t word = metadata16(w, row, k) | metadata16(w, row + 8, k) << 16;
        std::memcpy(metadata, &word, 4);
      }
}

}  // namespace

Status canonical_pack(const MatrixView& weight, DType type, AlignedBuffer* values, AlignedBuffer* fields, CanonicalWeight* canonical) {
  PackedNm packed;
  nm_layout(2, 4, 1, 1, weight.rows, weight.columns, 1, &packed);
  packed.k_block = packed.in_padded;
  int64_t kept;
  if (!nm_kept(packed, &kept) || !values->reserve(static_cast<size_t>(kept) * 2) || !fields->reserve(static_cast<size_t>(kept) / 4))
    return Status(Code::kMemory,
                  "no memory for a packed weight of " + std::to_string(weight.rows) + " x " + std::to_string(weight.columns));
  *canonical = {weight.rows, packed.in_padded, values->as<uint16_t>(), fields->as<uint32_t>()};
  return nm_pack(weight, packed, {type, values->as<void>(), nullptr}, fields->as<uint32_t>());
}

void canonical_unpack(const CanonicalWeight& canonical, DType type, int64_t in, float* dense) {
  PackedNm packed;
  nm_layout(2, 4, 1, 1, canonical.out, in, 1, &packed);
  packed.k_block = packed.in_padded;
  packed.fields = canonical.fields;
  nm_unpack(packed, {type, const_cast<uint16_t*>(canonical.values), nullptr}, dense);
}

void tile_pack(const CanonicalWeight& w, uint8_t* tiles) {
  const int64_t k_tiles = ceil_div(w.in_padded, kTileInputs);
  parallel_for(ceil_div(w.out, kTileRows), kPackThreads, [&](int64_t block, int) {
    for (int64_t k = 0; k < k_tiles; ++k) pack_tile(w, block * kTileRows, k * kTileInputs, tiles + (block * k_tiles + k) * kTileBytes);
  });
}

}  // namespace sk

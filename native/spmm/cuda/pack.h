// Dense weights -> tiles for mma.sp (layout: kernel.h), on the host.
#pragma once

#include <vector>

#include "../../core/memory.h"
#include "../../core/status.h"
#include "../../core/tensor.h"

namespace sk {

// A 2:4 weight of 16-bit values [out, in], row-major, as files keep it: what nm_pack makes with one lane and one k block.
struct CanonicalWeight {
  int64_t out, in_padded;  // in_padded: a multiple of 32
  const uint16_t* values;  // [out][in_padded / 2]
  const uint32_t* fields;  // [out][in_padded / 32]: two bits for each kept value, its place in its group of four
};

// Checks and rounds a weight; the buffers own what `canonical` points to. Errors are those of nm_pack.
Status canonical_pack(const MatrixView& weight, DType type, AlignedBuffer* values, AlignedBuffer* fields, CanonicalWeight* canonical);

// dense [out, in].
void canonical_unpack(const CanonicalWeight& canonical, DType type, int64_t in, float* dense);

// tiles [ceil(out / 128)][ceil(in_padded / 64)][kTileBytes].
void tile_pack(const CanonicalWeight& canonical, uint8_t* tiles);

}  // namespace sk

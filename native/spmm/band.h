// Dense <-> packed bands: rows that share their columns (layout: kernel.h).
#pragma once

#include "../core/memory.h"
#include "../core/status.h"
#include "kernel.h"
#include "weight.h"

namespace sk {

// What is expected of a weight: of every m columns a band of `rows` rows uses at most n; with `venom` at most 4, and each row n of these.
struct BandPattern {
  int64_t rows;
  int n, m;
  bool venom;
};

// An error names the first band and group that break the pattern.
Status band_check(const WeightRows& rows, const BandPattern& pattern);

// Owns what a PackedBands points to.
struct BandStorage {
  AlignedBuffer blocks, counts, indices, values;
  size_t bytes = 0;
};

// Packs the columns that any row of a band of `height` rows uses (height divides lanes). values.data and values.scale are set by the caller
// but for values.data, which is storage->values.
Status band_pack(const WeightRows& rows, int height, int panel_vectors, int64_t row_block, PackedValues* values, PackedBands* packed,
                 BandStorage* storage);

// As nm_unpack().
void band_unpack(const PackedBands& packed, const PackedValues& values, const WeightRows& rows, float* dense);

}  // namespace sk

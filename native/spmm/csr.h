// Dense <-> packed unstructured weights (layout: kernel.h).
#pragma once

#include <memory>

#include "../core/memory.h"
#include "../core/status.h"
#include "kernel.h"
#include "weight.h"

namespace sk {

// Owns what a PackedCsr points to.
struct CsrStorage {
  AlignedBuffer cells, rows, counts, values, indices;
  size_t bytes = 0;
};

// Packs the non-zeros as the type of `values` for panels of at most `most_vectors` vectors; row_block rows share accumulators. values: its
// type and scale are given, its data come to be those of `storage`.
Status csr_pack(const WeightRows& rows, int most_vectors, int64_t row_block, PackedValues* values, PackedCsr* packed, CsrStorage* storage);

// As nm_unpack().
void csr_unpack(const PackedCsr& packed, const PackedValues& values, const WeightRows& rows, float* dense);

}  // namespace sk

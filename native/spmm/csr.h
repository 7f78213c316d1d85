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

// Packs the non-zeros as float32, float16 or bfloat16 for panels of at most `most_vectors` vectors; row_block rows share accumulators.
Status csr_pack(const WeightRows& rows, DType type, int most_vectors, int64_t row_block, PackedCsr* packed, CsrStorage* storage);

// As nm_unpack().
void csr_unpack(const PackedCsr& packed, DType type, const WeightRows& rows, float* dense);

}  // namespace sk

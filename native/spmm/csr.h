// Dense <-> packed unstructured weights (layout: kernel.h).
#pragma once

#include <memory>

#include "../core/memory.h"
#include "../core/status.h"
#include "../core/tensor.h"
#include "kernel.h"

namespace sk {

// Owns what a PackedCsr points to.
struct CsrStorage {
  AlignedBuffer cells, rows, counts, values, indices;
  size_t bytes = 0;
};

// Packs the non-zeros of weight [out, in] for panels of at most `most_vectors` vectors of `lanes`; row_block rows share accumulators.
Status csr_pack(const MatrixView& weight, int lanes, int most_vectors, int64_t row_block, PackedCsr* packed, CsrStorage* storage);

// dense [out, in].
void csr_unpack(const PackedCsr& packed, float* dense);

}  // namespace sk

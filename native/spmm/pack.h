// Dense <-> packed N:M weights (layout: kernel.h).
#pragma once

#include "../core/status.h"
#include "../core/tensor.h"
#include "kernel.h"

namespace sk {

// Bits of an index field; 32 / bits fields share a word.
int nm_field_bits(int m);

// Width of full panels, in vectors, for a kernel that takes at most `most`.
int nm_panel_vectors(int n, int m, int most);

// Fills in everything of the layout but the two pointers.
void nm_layout(int n, int m, int lanes, int panel_vectors, int64_t out, int64_t in, int64_t row_block, PackedNm* packed);

// Elements of values; the fields are this many / (32 / bits) words. False: the size overflows.
[[nodiscard]] bool nm_kept(const PackedNm& packed, int64_t* kept);

// Packs weight [out, in]. A group with more than n non-zeros is an error that names the first one in row order.
Status nm_pack(const MatrixView& weight, const PackedNm& packed, float* values, uint32_t* fields);

// dense [out, in].
void nm_unpack(const PackedNm& packed, float* dense);

}  // namespace sk

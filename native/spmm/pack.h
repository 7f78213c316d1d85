// Dense <-> packed N:M weights (layout: kernel.h).
#pragma once

#include "../core/status.h"
#include "../core/tensor.h"
#include "kernel.h"

namespace sk {

// Whether n:m is a pattern that can be packed.
bool nm_known(int n, int m);

// Bits of an index field; 32 / bits fields share a word.
int nm_field_bits(int m);

// Width of full panels, in vectors, for a kernel that takes at most `most`.
int nm_panel_vectors(int n, int m, int most);

// Fills in everything of the layout but the two pointers.
void nm_layout(int n, int m, int lanes, int panel_vectors, int64_t out, int64_t in, int64_t row_block, PackedNm* packed);

// Elements of values; the fields are this many / (32 / bits) words. False: the size overflows.
[[nodiscard]] bool nm_kept(const PackedNm& packed, int64_t* kept);

// What a plan stores its values as. A quantised value q stands for scale[row] * q.
struct PackedValues {
  DType type;
  void* data;    // [kept]
  float* scale;  // [out_padded] where type is int8, else null
};

// The scale of each row that lets its largest magnitude become 127. NaN and infinity are errors.
Status nm_choose_scales(const MatrixView& weight, float* scale);

// Packs weight [out, in]; int8 values are weight / scale, or the weight itself if that is int8. An error names the first group in row order
// that has more than n non-zeros, or the first weight that is too large for the type.
Status nm_pack(const MatrixView& weight, const PackedNm& packed, const PackedValues& values, uint32_t* fields);

// dense [out, in].
void nm_unpack(const PackedNm& packed, const PackedValues& values, float* dense);

}  // namespace sk

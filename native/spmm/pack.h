// Dense <-> packed N:M weights (layout: kernel.h).
#pragma once

#include "int4.h"
#include "kernel.h"
#include "weight.h"

namespace sk {

// Whether n:m is a pattern that can be packed.
bool nm_known(int n, int m);

// Bits of an index field; 32 / bits fields share a word.
int nm_field_bits(int m);

// Width of full panels, in vectors, for a kernel of so many lanes that takes at most `most`.
int nm_panel_vectors(int n, int m, int most, int lanes);

// Fills in everything of the layout but the pointers. quantise: of int8 activations; group: of int4, else 0.
void nm_layout(int n, int m, const WeightRows& rows, int panel_vectors, int64_t row_block, PackedNm* packed,
               const SpmmQuantise* quantise = nullptr, int64_t group = 0);

// Elements of values; the fields are this many / (32 / bits) words. False: the size overflows.
[[nodiscard]] bool nm_kept(const PackedNm& packed, int64_t* kept);

// Packs the rows; int8 values are weight / scale, or the weight itself if that is int8. An error names the first group in row order
// that has more than n non-zeros, or the first weight that is too large for the type.
Status nm_pack(const WeightRows& rows, const PackedNm& packed, const PackedValues& values, uint32_t* fields);

// dense [out, in], with a gate [2 * out, in] (WeightRows::place); the data of `rows` are not read.
void nm_unpack(const PackedNm& packed, const PackedValues& values, const WeightRows& rows, float* dense);

// The same of int4: the arrays of the layout are written in place.
Status nm_pack_int4(const WeightRows& rows, const PackedNm& packed, const Int4Levels& levels);
void nm_unpack_int4(const PackedNm& packed, const WeightRows& rows, float* dense);
// Elements of scales, and of zeros where they are; the level of an input of a packed row.
int64_t nm_levels(const PackedNm& packed);
Int4Level nm_level(const PackedNm& packed, int64_t row, int64_t input);

}  // namespace sk

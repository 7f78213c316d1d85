// Dense <-> packed int4 groups (layout: kernel.h).
#pragma once

#include "../core/memory.h"
#include "int4.h"
#include "kernel.h"

namespace sk {

// Owns the arrays of a PackedGroups.
struct GroupStorage {
  AlignedBuffer rows, columns, scales, zeros, words;
  size_t bytes = 0;
};

// Packs the groups that have a weight other than 0.
Status group_pack(const WeightRows& rows, const Int4Levels& levels, bool by_bytes, int64_t row_block, PackedGroups* packed,
                  GroupStorage* storage);

// dense [out, in], with a gate [2 * out, in] (WeightRows::place); the data of `rows` are not read.
void group_unpack(const PackedGroups& packed, const WeightRows& rows, float* dense);

// scales [out, groups of a row], as above; 0 where a group was dropped.
void group_scales(const PackedGroups& packed, const WeightRows& rows, float* scales);

}  // namespace sk

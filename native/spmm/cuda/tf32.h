// float32 weights as tf32, of which sparse tensor cores keep one of every two inputs: 1:2, not 2:4. Seen as 16-bit units that is 2:4 again,
// with both units of an input kept, so that tiles, their metadata and the loop nest are those of 16-bit weights with twice as many inputs.
#pragma once

#include <cstdint>

#include "../../core/memory.h"
#include "../weight.h"

namespace sk {

// Of every two inputs of a row, from an even one on, at most one has a weight: 1:2, or 1:M, or any weight that happens to be so.
bool keeps_one_of_two(const WeightRows& rows);

constexpr int64_t tf32_padded(int64_t in) { return round_up(in, 16); }

// values [count()][tf32_padded(in) / 2], rounded to the 10 bits of tf32; fields [count()][tf32_padded(in) / 16]: four bits for each two
// inputs.
Status tf32_pack(const WeightRows& rows, float* values, uint32_t* fields);

// As nm_unpack().
void tf32_unpack(const WeightRows& rows, const float* values, const uint32_t* fields, float* dense);

}  // namespace sk

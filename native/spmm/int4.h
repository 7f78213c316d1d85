// What 4-bit weights stand for: scale * (q - zero) with q of 0 .. 15, a float16 scale and a zero of 0 .. 15 for `group` consecutive inputs
// of a row. Scales of 11 bits make each such product exact in float32, in whatever order it is computed.
#pragma once

#include <vector>

#include "../simd/half.h"
#include "weight.h"

namespace sk {

struct Int4Level {
  float scale;
  int zero;
};

// A level for each group of each packed row.
struct Int4Levels {
  int64_t group, per_row;
  bool zero_point;  // false: zero is 8 everywhere
  std::vector<Half> scales;
  std::vector<int8_t> zeros;

  size_t at(int64_t row, int64_t input) const { return static_cast<size_t>(row * per_row + input / group); }
  Int4Level level(int64_t row, int64_t input) const { return {widen(scales[at(row, input)]), zeros[at(row, input)]}; }
};

struct Int4Options {
  int64_t group;
  bool zero_point;
  const float *scale, *gate_scale;  // [out, groups] of weights that are integers q - zero already; else null
};

// Which level each group gets. Of floats: zero 8 and scale max|w| / 7.5, or, with a zero point, the least and the largest weight (and 0) at
// 0 and 15. Of integers: the zero at which they fit. Errors name a weight that is not finite, or groups that do not fit.
Status int4_choose(const WeightRows& rows, const Int4Options& options, Int4Levels* levels);

// q of a weight; of integers the weight itself, past its zero. 0 is always the zero.
uint32_t int4_steps(float weight, Int4Level level, bool integers);

}  // namespace sk

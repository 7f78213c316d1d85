// What the files of select share with the ISA files: the moves of one kernel row. Plain data, no inline code (an inline function here would
// be compiled with every ISA's flags, and the linker keeps any one of the copies).
#pragma once

#include <cstdint>

namespace sk {

// `chunks` chunks of L groups of m consecutive scores (of 4 scores where m is 2); L = lanes of the vector. Of each group the n best scores
// are kept: ties go to the lower index, NaN is smallest. `magnitude` compares absolute values.
struct GroupChunks {
  const float* scores;
  const float* weight;  // masked is weight where kept, else 0
  float* masked;        // or null
  uint8_t* mask;        // or null: 1 where kept, else 0
  int64_t chunks;
  int n;
  bool magnitude;
};

// What a pass over a row says about two bounds lo <= hi.
struct Census {
  int64_t above;    // scores > hi
  int64_t between;  // lo <= score <= hi
  bool nan;         // there is a NaN
};

// Sums over a row, in float32: what a guess is made of. Not finite where a score is not (or squares overflow).
struct Spread {
  float sum, squares;
};

// Everything that a row keeps is written as (cut, ties): the scores > cut and the first `ties` of those == cut.
struct SelectKernel {
  const char* name;  // select_f32_any_avx2
  int lanes;
  // One for each m: 2, 4, 8, 16, 32.
  void (*groups[5])(const GroupChunks& task);
  // Also writes the scores between the bounds to out, in order; room for n + L floats.
  Census (*census)(const float* scores, int64_t n, bool magnitude, float lo, float hi, float* out);
  Spread (*spread)(const float* scores, int64_t n, bool magnitude);
  int64_t (*above)(const float* scores, int64_t n, bool magnitude, float bound);  // how many are > bound
  // Writes the indices (plus first) of what is kept, ascending, at most `room`; returns how many were written.
  int64_t (*list)(const float* scores, int64_t n, float cut, int64_t ties, int32_t first, int32_t* index, int64_t room);
  // Writes the mask or the masked weight (the other is null); `ties` is counted down.
  void (*mask)(const float* scores, int64_t n, bool magnitude, float cut, int64_t* ties, const float* weight, float* masked, uint8_t* mask);
};

}  // namespace sk

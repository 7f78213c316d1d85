// What khot.cc and the ISA files share: the packed weight and the moves that one kernel row offers. Plain data, no inline code.
//
// Packed weight: W^T [in][stride], what an input adds to all outputs: `out` rounded up to kKHotUnit, filled up with zeros. bias [stride].
#pragma once

#include <cstddef>
#include <cstdint>

#include "../simd/activation.h"
#include "../simd/half.h"

namespace sk {

constexpr int64_t kKHotUnit = 32;    // outputs: a cache line of 16-bit weights, and a multiple of every vector
constexpr int64_t kKHotWidth = 512;  // most outputs of a tile: their sums stay in L1 beside the rows that they take up

// The outputs [first, first + width) of a token; width is a multiple of kKHotUnit.
struct KHotTile {
  const void* weight;
  int64_t stride, first, width;
  const float* bias;
  const int32_t* inputs;  // [count]
  const float* values;
  int64_t count;
  float* sums;  // 64-byte aligned, [width]
};

// What becomes of the sums of a tile: y = act(sum) + residual.
struct KHotOutputs {
  float* sums;    // those of the tile, and overwritten
  int64_t count;  // of outputs: what the last line was filled up with is none
  Activation activation;
  const void* residual;  // [count] of the type of y, or null
  void* y;               // [count]
};

struct KHotKernel {
  const char* name;  // khot_f32_lists_avx2
  int lanes;
  void (*run)(const KHotTile& tile);
  void (*finish[3])(const KHotOutputs& outputs);  // y of float32, float16, bfloat16
};

}  // namespace sk

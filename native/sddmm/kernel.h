// What sddmm.cc and the ISA files share.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sk {

// Tokens of a block, a multiple of every L: its rows of b are 64 * 4 bytes, eight of them and one of a stay in L1.
constexpr int kSddmmTokens = 64;

struct SddmmKernel {
  const char* name;  // sddmm_f32_masked_avx2
  int lanes;
  // sums[j] += a . b[indices[j]] for j < count. a [kSddmmTokens], b [..][kSddmmTokens], 64-byte aligned. count is a multiple of L.
  void (*dots)(const float* a, const float* b, const int32_t* indices, int64_t count, float* sums);
};

}  // namespace sk

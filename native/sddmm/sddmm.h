// sddmm: a dense product, sampled: D = mask . (Aᵀ B), the gradient of the values of a sparse weight.
//
//   d[o, i] = sum over tokens t of a[t, o] * b[t, i]   where mask[o, i] is not 0, elsewhere 0
//
// a [tokens, out], b [tokens, in], mask and d [out, in], all row-major. Sums are float32, over blocks of tokens in ascending order: they do
// not depend on the threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/kernel.h"
#include "../core/status.h"

namespace sk {

struct SddmmOptions {
  int64_t tokens = 0, out = 0, in = 0;
  const float* a = nullptr;
  const float* b = nullptr;
  const uint8_t* mask = nullptr;
  float* d = nullptr;
  std::string isa;
  int threads = 0;  // 0: all of the pool
};

// d must not overlap the others. Nothing is read or written outside the arrays.
Status sddmm(const SddmmOptions& options, const std::atomic<bool>* cancel);

// Every row of kernels.def, in its order.
std::vector<KernelRow> sddmm_kernels();

}  // namespace sk

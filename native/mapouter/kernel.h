// What mapouter.cc and the ISA files share.
//
// Legend: L lanes of the vector; a panel holds the rows of up to kPairs pairs one after another, its columns padded with zeros.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sk {

// acc[i][o] += sum over pairs p of x[p][i] * dy[p][o]
struct MapouterBlock {
  int64_t pairs;
  const float* x;   // panel [pairs][in], in a multiple of 6
  const float* dy;  // panel [pairs][out], out a multiple of 2 L, 64-byte aligned
  int64_t in, out;
  float* acc;  // [in][out], 64-byte aligned
};

struct MapouterKernel {
  const char* name;  // mapouter_f32_dense_avx2
  int lanes;
  void (*run)(const MapouterBlock& block);
};

}  // namespace sk

// Operand A of mma.sp: the weight from shared memory to registers, two m16 tiles (32 rows) x one step at a time.
#pragma once

#include "../../cuda/ptx.h"
#include "../../simd/half.h"
#include "kernel.h"

namespace sk {

struct ByteLanes {};  // 8-bit values, which become float16
struct Tf32 {};       // float32, of which 10 bits of the fraction count

template <class T>
constexpr TileForm form_of = TileForm::kHalves;
template <>
constexpr TileForm form_of<int8_t> = TileForm::kBytes;
template <>
constexpr TileForm form_of<ByteLanes> = TileForm::kByteLanes;

// Of an element of x.
template <class T>
constexpr int x_bytes = sizeof(T);
template <>
constexpr int x_bytes<ByteLanes> = 2;
template <>
constexpr int x_bytes<Tf32> = 4;

// As matrices, for ldmatrix. The second step is one bit of the number of a chunk.
template <class T>
class WeightOperand {
 public:
  // The warp's tile in a stage, and its first row there.
  __device__ WeightOperand(int tile, int first_row) {
    const int lane = threadIdx.x % 32, row = first_row + lane % 16;
    at_[0] = tile + row / 2 * 128 + row % 2 * 64 + ((lane / 16) ^ (row / 2 % 4)) * 16;
    at_[1] = at_[0] ^ 32;
  }
  template <int kPair, int kStep>
  __device__ void load(uint32_t stage, uint32_t (&even)[4], uint32_t (&odd)[4]) const {
    ptx::ldmatrix_x4<kPair * 2048>(even, stage + at_[kStep]);
    ptx::ldmatrix_x4<kPair * 2048 + 1024>(odd, stage + at_[kStep]);
  }

 private:
  uint32_t at_[2];
};

// Eight bytes 128 + q as float16: with 0x64 above it a byte u is 1024 + u, of which 1152 less are q, exactly: two
// instructions for two values.
__device__ inline void widen_bytes(uint32_t low, uint32_t high, uint32_t (&a)[4]) {
  const uint32_t biased[4] = {__byte_perm(low, 0x64646464, 0x4140), __byte_perm(low, 0x64646464, 0x4342),
                              __byte_perm(high, 0x64646464, 0x4140), __byte_perm(high, 0x64646464, 0x4342)};
#pragma unroll
  for (int i = 0; i < 4; ++i) a[i] = ptx::subtract_halves(biased[i], 0x64806480);
}

template <>
class WeightOperand<ByteLanes> {
 public:
  __device__ WeightOperand(int tile, int first_row) : at_(tile + first_row / 32 * 1024 + threadIdx.x % 32 * 16) {}
  template <int kPair, int kStep>
  __device__ void load(uint32_t stage, uint32_t (&even)[4], uint32_t (&odd)[4]) const {
    uint32_t bytes[4];
    ptx::load_shared4<kPair * 1024 + kStep * 512>(bytes, stage + at_);
    widen_bytes(bytes[0], bytes[1], even);
    widen_bytes(bytes[2], bytes[3], odd);
  }

 private:
  uint32_t at_;
};

}  // namespace sk

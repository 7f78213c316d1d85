// Operand A of mma.sp: the weight from shared memory to registers, two m16 tiles (32 rows) x one step at a time.
#pragma once

#include "../../cuda/ptx.h"
#include "../../simd/half.h"
#include "kernel.h"

namespace sk {

struct ByteLanes {};  // 8-bit values, which become float16
template <bool kZeroPoints>
struct NibbleLanes {};  // 4-bit values with a scale, and perhaps a zero point, for each group of inputs, which become float16
struct Tf32 {};         // float32, of which 10 bits of the fraction count

template <class T>
constexpr TileForm form_of = TileForm::kHalves;
template <>
constexpr TileForm form_of<int8_t> = TileForm::kBytes;
template <>
constexpr TileForm form_of<ByteLanes> = TileForm::kByteLanes;
template <>
constexpr TileForm form_of<NibbleLanes<false>> = TileForm::kNibbleLanes;
template <>
constexpr TileForm form_of<NibbleLanes<true>> = TileForm::kNibbleLanesWithZeros;

// Of an element of x.
template <class T>
constexpr int x_bytes = sizeof(T);
template <>
constexpr int x_bytes<ByteLanes> = 2;
template <bool kZeroPoints>
constexpr int x_bytes<NibbleLanes<kZeroPoints>> = 2;
template <>
constexpr int x_bytes<Tf32> = 4;

// As matrices, for ldmatrix. The second step is one bit of the number of a chunk.
template <class T>
class WeightOperand {
 public:
  // The warp's tile in a stage, and its first row there.
  __device__ WeightOperand(const SpmmCudaProduct&, int tile, int first_row) {
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
  __device__ WeightOperand(const SpmmCudaProduct&, int tile, int first_row) : at_(tile + first_row / 32 * 1024 + threadIdx.x % 32 * 16) {}
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

// What nibbles of rows g and g + 8 stand for: scales, and what is subtracted, in the form of the nibbles of the row.
struct NibbleLevel {
  uint32_t scale[2], zero[2];
};

// The scales of both rows, and their zero points: z, and 16 z.
__device__ inline NibbleLevel nibble_level(uint32_t scales, uint32_t zeros) {
  return {{__byte_perm(scales, 0, 0x1010), __byte_perm(scales, 0, 0x3232)},
          {__byte_perm(zeros, 0x64646464, 0x4040), __byte_perm(zeros, 0xD4D4D4D4, 0x4141)}};  // 1024 + z, -64 - z
}

// Eight nibbles as float16 scale * (q - zero). With 0x64 above it a nibble q is 1024 + q, four bits further up 1024 + 16 q, so that one
// shift does for all; what is subtracted leaves an integer, exactly, and its product is rounded once: 13 instructions for 8 values, and
// those of their level.
__device__ inline void widen_nibbles(uint32_t nibbles, const NibbleLevel& level, uint32_t (&a)[4]) {
#pragma unroll
  for (int i = 0; i < 4; i += 2, nibbles >>= 8) {
    const uint32_t low = ptx::and_or<0x000F000F, 0x64006400>(nibbles), high = ptx::and_or<0x00F000F0, 0x64006400>(nibbles);
    a[i] = ptx::multiply_halves(ptx::subtract_halves(low, level.zero[0]), level.scale[0]);
    a[i + 1] = ptx::multiply_halves(ptx::multiply_add_halves(high, 0x2C002C00, level.zero[1]), level.scale[1]);  // 0x2C00: 1 / 16
  }
}

template <bool kZeroPoints>
class WeightOperand<NibbleLanes<kZeroPoints>> {
 public:
  __device__ WeightOperand(const SpmmCudaProduct& p, int tile, int first_row) {
    const int block = first_row / 32, lane = threadIdx.x % 32, levels = tile + kLevelsAt;
    at_ = tile + block * 512 + lane * 8;
    scales_at_[0] = levels + block * 64 + lane / 4 * 8;
    zeros_at_[0] = levels + kTileRows * 2 + block * 32 + lane / 4 * 4;
    const int to_second = p.tile_bytes - kLevelsAt - kLevelBytes;  // there is one level, or one for each step
    scales_at_[1] = scales_at_[0] + to_second;
    zeros_at_[1] = zeros_at_[0] + to_second;
  }
  template <int kPair, int kStep>
  __device__ void load(uint32_t stage, uint32_t (&even)[4], uint32_t (&odd)[4]) const {
    uint32_t nibbles[2], scales[2], zeros = 0x80088008;  // 8, 128, 8, 128
    ptx::load_shared2<kPair * 512 + kStep * 256>(nibbles, stage + at_);
    ptx::load_shared2<kPair * 64>(scales, stage + scales_at_[kStep]);
    if constexpr (kZeroPoints) zeros = ptx::load_shared<kPair * 32>(stage + zeros_at_[kStep]);
    widen_nibbles(nibbles[0], nibble_level(scales[0], zeros), even);
    widen_nibbles(nibbles[1], nibble_level(scales[1], zeros >> 16), odd);
  }

 private:
  static constexpr int kLevelBytes = level_bytes(form_of<NibbleLanes<kZeroPoints>>);
  uint32_t at_, scales_at_[2], zeros_at_[2];
};

}  // namespace sk

// The loop nest of mapmm on tensor cores, an implicit matrix product: load -> multiply -> store, for 128 output rows x 64 output channels.
//
// For each group that the block has a pair of, the input rows are gathered into shared memory, 32 channels at a time; rows that a group
// does not have are zeros there. The floor is 2 * 64 * in operations for each pair over the rate of the tensor cores; what is computed are
// 2 * 128 * 64 * in for each group of a block. As the map puts rows of the same groups together, that is 1.01 to 1.12 times the floor on
// surfaces of voxels (1.9 to 2.3 times it in the order of the keys). A warp
// with 32 rows x 64 outputs reads 24 lines of 128 bytes of shared memory for the 16 mma of 16 inputs, which take a multiprocessor of sm_80
// 32 cycles.
//
// Legend: i = m16 tiles of rows of a warp, j = its n8 tiles of outputs, k = halves of a step (16 inputs).
#pragma once

#include "../../cuda/eights.h"
#include "../../cuda/ptx.h"
#include "kernel.h"

namespace sk {

constexpr int kGatherThreads = 128, kGatherStages = 4;
constexpr int kGatherStageBytes = kSiteRows * kStepBytes + kWeightTileBytes;
constexpr int kGatherSumPitch = kWeightRows + 8;  // pairs of four rows then lie in different banks
constexpr int kGatherSharedBytes = kGatherStages * kGatherStageBytes;
static_assert(kSiteRows * kGatherSumPitch * 4 <= kGatherSharedBytes, "the sums fit where the stages were");

// Where chunk c of row r of 64 bytes lies.
__device__ inline uint32_t chunk_at(int row, int chunk) { return row / 2 * 128 + row % 2 * 64 + (chunk ^ (row / 2 % 4)) * 16; }

// What one thread copies of each step: a chunk of every 32nd row, and two chunks of the weight.
class StepLoader {
  static constexpr int kRows = kSiteRows * 4 / kGatherThreads;

 public:
  __device__ StepLoader(const MapmmCudaProduct& p, const int32_t* active, int64_t first_row, int64_t out_block)
      : p_(p), active_(active), rows_(p.map.rows + first_row + threadIdx.x / 4), out_block_(out_block), chunk_(threadIdx.x % 4 * 16) {
    to_ = chunk_at(threadIdx.x / 4, threadIdx.x % 4);  // rows 32 further have the same order of chunks
  }

  // Starts the copies of the next step.
  __device__ void next(uint32_t stage) {
    if (step_ == 0) begin_group();
    const int valid = min(max(static_cast<int>(p_.in) * 2 - step_ * kStepBytes - chunk_, 0), 16);
    unrolled<kRows>([&](auto r) { ptx::cp_async16<r * 32 * kStepBytes>(stage + to_, x_[r], present_[r] ? valid : 0); });
    unrolled<2>([&](auto c) {
      ptx::cp_async16<kSiteRows * kStepBytes + c * kGatherThreads * 16>(stage + threadIdx.x * 16, weight_ + c * kGatherThreads * 16);
    });
    unrolled<kRows>([&](auto r) { x_[r] += kStepBytes; });
    weight_ += kWeightTileBytes;
    if (++step_ == p_.steps) step_ = 0;
  }

 private:
  __device__ void begin_group() {
    const int64_t group = *active_++;
    unrolled<kRows>([&](auto r) {
      const int32_t row = __ldg(rows_ + group * p_.map.positions + r * 32);
      present_[r] = row >= 0;
      x_[r] = static_cast<const char*>(p_.x) + max(row, 0) * p_.x_pitch + chunk_;
    });
    weight_ = static_cast<const char*>(p_.tiles) + (group * p_.out_blocks + out_block_) * p_.steps * kWeightTileBytes + threadIdx.x * 16;
  }

  const MapmmCudaProduct& p_;
  const int32_t *active_, *rows_;
  int64_t out_block_;
  const char *x_[kRows], *weight_ = nullptr;
  uint32_t to_;
  int chunk_, step_ = 0;
  bool present_[kRows];
};

__device__ inline void multiply_add(Half, float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { ptx::mma_f16(d, a, b0, b1); }
__device__ inline void multiply_add(BHalf, float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { ptx::mma_bf16(d, a, b0, b1); }

// sum += the product of one step.
template <class T>
__device__ inline void multiply_step(uint32_t stage, const uint32_t (&a_at)[2], const uint32_t (&b_at)[2], float (&sum)[2][8][4]) {
  unrolled<2>([&](auto k) {
    uint32_t a[2][4], b[4][4];
    unrolled<2>([&](auto i) { ptx::ldmatrix_x4<i * 16 * kStepBytes>(a[i], stage + a_at[k]); });
    unrolled<4>([&](auto pair) { ptx::ldmatrix_x4<pair * 16 * kStepBytes>(b[pair], stage + b_at[k]); });
    unrolled<4>([&](auto pair) {
      unrolled<2>([&](auto i) {
        multiply_add(T(), sum[i][2 * pair], a[i], b[pair][0], b[pair][1]);
        multiply_add(T(), sum[i][2 * pair + 1], a[i], b[pair][2], b[pair][3]);
      });
    });
  });
}

// Grid: blocks of output rows, of output channels.
template <class T>
__global__ void __launch_bounds__(kGatherThreads, 3) gather_mma(const MapmmCudaProduct p) {
  extern __shared__ __align__(128) uint8_t gathered[];
  const uint32_t shared = ptx::shared_address(gathered);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t first_row = static_cast<int64_t>(blockIdx.x) * kSiteRows;
  const int32_t groups = p.map.counts[blockIdx.x];
  float sum[2][8][4] = {};

  const uint32_t a_at[2] = {chunk_at(warp * 32 + lane % 16, lane / 16), chunk_at(warp * 32 + lane % 16, lane / 16 + 2)};
  const int b_row = lane / 16 * 8 + lane % 8, b_chunk = lane / 8 % 2;
  const uint32_t b_at[2] = {kSiteRows * kStepBytes + chunk_at(b_row, b_chunk), kSiteRows * kStepBytes + chunk_at(b_row, b_chunk + 2)};
  StepLoader loader(p, p.map.active + blockIdx.x * p.map.groups, first_row, blockIdx.y);
  int steps = groups * static_cast<int>(p.steps), to_load = steps;
  for (int stage = 0; stage < kGatherStages - 1; ++stage) {
    if (to_load-- > 0) loader.next(shared + stage * kGatherStageBytes);
    ptx::cp_async_commit();
  }
  uint32_t read = shared, write = shared + (kGatherStages - 1) * kGatherStageBytes;
  for (; steps > 0; --steps) {
    ptx::cp_async_wait<kGatherStages - 2>();
    __syncthreads();  // the step is there for all warps, and all have left the stage that is written next
    if (to_load-- > 0) loader.next(write);
    ptx::cp_async_commit();
    multiply_step<T>(read, a_at, b_at, sum);
    write = read;
    read = read + kGatherStageBytes == shared + kGatherSharedBytes ? shared : read + kGatherStageBytes;
  }
  ptx::cp_async_wait<0>();
  __syncthreads();  // the stages are free for the sums

  const float* sums = reinterpret_cast<const float*>(gathered);
  const uint32_t corner = shared + ((warp * 32 + lane / 4) * kGatherSumPitch + lane % 4 * 2) * 4;
  unrolled<2>([&](auto i) {
    unrolled<8>([&](auto j) {
      ptx::store_shared2<(i * 16 * kGatherSumPitch + j * 8) * 4>(corner, sum[i][j][0], sum[i][j][1]);
      ptx::store_shared2<((i * 16 + 8) * kGatherSumPitch + j * 8) * 4>(corner, sum[i][j][2], sum[i][j][3]);
    });
  });
  __syncthreads();

  constexpr int kEights = kWeightRows / 8;
  const int column = threadIdx.x % kEights * 8;
  const int64_t output = static_cast<int64_t>(blockIdx.y) * kWeightRows + column;
  if (output >= p.out) return;
  float bias[8];
  load_whole(p.bias + output, bias);
  for (int r = threadIdx.x / kEights; r < kSiteRows && first_row + r < p.map.out_rows; r += kGatherThreads / kEights) {
    float eight[8];
    read_eight(sums + r * kGatherSumPitch + column, eight);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      eight[i] += bias[i];
      if (p.activation == MapActivation::kRelu) eight[i] = eight[i] < 0 ? 0 : eight[i];
    }
    store_eight_as(p.y_type, p.y, p.map.order[first_row + r], output, p.out, eight);
  }
}

}  // namespace sk

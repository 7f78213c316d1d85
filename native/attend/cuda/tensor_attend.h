// Attention on tensor cores: load -> multiply -> softmax -> multiply -> finish, for one task of up to 64 rows, four warps of 16.
//
// The floor of a chunk of 64 keys is its 2 * kDim * 16 mma-flops a row or, with few rows, its bytes. An online softmax has about as many
// other instructions for each score as there are mma for it, so the rest is made small: the scale is in the queries (rounded once more, as
// the weights are); the product of queries and keys begins with -max instead of 0, so that scores come out ready for exp2; the sums of
// weights are a product with ones; and a row's max moves only when a weight reaches 2, which one bit of it tells, and then to a quarter, so
// sums are hardly ever rescaled.
//
// With kDim = 128, of the instructions of a chunk in the middle of a list three quarters are mma, exp2 and memory's (PTX, counted by
// test/cuda/attend-counters.test.ts). With kDim = 256 the sums take most registers: chunks are half as long, and the queries are in shared
// memory.
//
// Legend: lane 4g + t of a warp has rows g and g + 8 of its 16; j = n8 tiles of keys, kb = pairs of them (16 keys), n = pairs of n8 tiles
// of dims, s = steps of 16 dims. Scores are in units of log2.
#pragma once

#include "../../cuda/elements.h"
#include "finish.h"
#include "keys.h"

namespace sk {

constexpr uint32_t kAboveOne = 0x40004000;  // set in a pair of weights, of either type, where one is 2 or more, infinite or no number

__device__ constexpr uint32_t pair_of_ones(Half) { return 0x3c003c00; }
__device__ constexpr uint32_t pair_of_ones(BHalf) { return 0x3f803f80; }

template <class T, int kDim>
class AttendWarp {
  using Shape = AttendShape<kDim>;
  using Chunk = ChunkKeys<Shape::kKeys>;
  static constexpr int kJ = Shape::kKeys / 8, kKb = Shape::kKeys / 16, kN = kDim / 16, kS = kDim / 16;
  static constexpr bool kQueriesStay = Shape::kQueryBytes == 0;  // in registers

 public:
  // queries: shared memory for fragments.
  __device__ AttendWarp(const AttendCudaRun& run, const AttendCudaTask& task, int32_t length, uint32_t queries) : run_(run), task_(task) {
    const int lane = threadIdx.x % 32, g = lane / 4;
    first_row_ = static_cast<int>(threadIdx.x) / 32 * 16 + g;
    const int rows = task.heads * task.queries;
    idle_ = static_cast<int>(threadIdx.x) / 32 * 16 >= rows;
    unrolled<2>([&](auto i) {
      const int row = min(first_row_ + 8 * i, rows - 1);
      sight_[i] = sight_of(run, task, length, task.query + row % task.queries);
    });
    queries_at_ = queries + threadIdx.x * 16;
    load_queries(rows);
    k_at_ = ptx::kept<uint32_t>((lane % 8 + lane / 16 * 8) * Shape::kRowBytes + lane / 8 % 2 * 16);
    v_at_ = ptx::kept<uint32_t>(Shape::kTileBytes + lane % 16 * Shape::kRowBytes + lane / 16 * 16);
    move_always_ = ptx::kept(kAboveOne);
  }

  __device__ bool idle() const { return idle_; }

  // Folds a chunk into the sums.
  __device__ void chunk(uint32_t stage, const Chunk& chunk, int buffer, uint32_t flags) {
    float score[kJ][4];
    multiply_keys(stage + k_at_, score);
    if (!(flags & Chunk::kPlain)) general(chunk.sight[buffer], score);
    uint32_t weight[kKb][4];
    if (__any_sync(0xffffffffu, weigh(score, weight) & kAboveOne)) {
      rescale(score);
      weigh(score, weight);
    }
    multiply_values(stage + v_at_, weight);
  }

  // Sums to output and lse, or to the workspace.
  __device__ void finish() const {
    const int t = threadIdx.x % 4, rows = task_.heads * task_.queries;
    unrolled<2>([&](auto i) {
      const int row = first_row_ + 8 * i;
      if (row >= rows) return;
      const bool failed = list_failed(run_, task_.list);
      const float sum = failed ? NAN : weights_[2 * i], reference = seen_[i] || failed || sum != 0 ? -below_[i] : -INFINITY;  // NaN goes on
      RowEnd end = {run_.part_output + (task_.partial + row) * run_.head_dim, nullptr, 1, 0};
      if (task_.parts == 1)
        end = finish_row(run_, task_, row, reference, sum, t == 0);
      else if (t == 0)
        run_.part_max[task_.partial + row] = reference, run_.part_sum[task_.partial + row] = sum;
      unrolled<2 * kN>([&](auto n) {
        const int dim = n * 8 + 2 * t;
        if (dim < run_.head_dim)
          *reinterpret_cast<float2*>(end.to + dim) =
              make_float2(end.output(dim, output_[n][2 * i]), end.output(dim + 1, output_[n][2 * i + 1]));
      });
    });
  }

 private:
  // Queries times scale * log2(e), as fragments of A.
  __device__ void load_queries(int rows) {
    const int t = threadIdx.x % 4;
    const float scale = (run_.softcap == 0 ? run_.scale : run_.scale / run_.softcap) * kLog2E;
    const T* q[2];
    unrolled<2>([&](auto i) {
      const int row = first_row_ + 8 * i;
      q[i] = row >= rows ? nullptr
                         : static_cast<const T*>(run_.q) + task_.batch * run_.q_batch + (task_.head + row / task_.queries) * run_.q_head +
                               (task_.query + row % task_.queries) * run_.q_token;
    });
    unrolled<kS>([&](auto s) {
      uint32_t a[4];
      unrolled<4>([&](auto r) {
        const int dim = s * 16 + r / 2 * 8 + 2 * t;
        float low = 0, high = 0;
        if (q[r % 2] && dim < run_.head_dim) {
          const uint32_t pair = *reinterpret_cast<const uint32_t*>(q[r % 2] + dim);  // rows are whole pieces of 16 bytes
          low = widen_from(T{static_cast<uint16_t>(pair)}), high = widen_from(T{static_cast<uint16_t>(pair >> 16)});
        }
        a[r] = ptx::pack(T(), low * scale, high * scale);
      });
      if constexpr (kQueriesStay)
        unrolled<4>([&](auto r) { query_[s][r] = a[r]; });
      else
        ptx::store_shared4<s * Shape::kThreads * 16>(queries_at_, a);
    });
  }

  template <int kStep>
  __device__ void query(uint32_t (&a)[4]) const {
    if constexpr (kQueriesStay)
      unrolled<4>([&](auto r) { a[r] = query_[kStep][r]; });
    else
      ptx::load_shared4<kStep * Shape::kThreads * 16>(a, queries_at_);  // what this lane has written
  }

  __device__ void multiply_keys(uint32_t at, float (&score)[kJ][4]) const {
    unrolled<kS>([&](auto s) {
      uint32_t a[4];
      query<s>(a);
      unrolled<kKb>([&](auto kb) {
        uint32_t b[4];
        ptx::ldmatrix_x4<kb * 16 * Shape::kRowBytes + s * 32>(b, at);
        unrolled<2>([&](auto half) {
          float (&d)[4] = score[2 * kb + half];
          if constexpr (s == 0)
            ptx::mma(T(), d, a, b[2 * half], b[2 * half + 1], below_[0], below_[0], below_[1], below_[1]);
          else
            ptx::mma(T(), d, a, b[2 * half], b[2 * half + 1]);
        });
      });
    });
  }

  // Weights in pairs, as fragments of A, and all their bits in one word; those of kAboveOne are set as long as any chunk must move the max.
  __device__ uint32_t weigh(const float (&score)[kJ][4], uint32_t (&weight)[kKb][4]) const {
    uint32_t any = move_always_;
    unrolled<kKb>([&](auto kb) {
      unrolled<2>([&](auto half) {
        const float* four = score[2 * kb + half];
        const uint32_t low = ptx::pack(T(), ptx::exp2(four[0]), ptx::exp2(four[1]));
        const uint32_t high = ptx::pack(T(), ptx::exp2(four[2]), ptx::exp2(four[3]));
        weight[kb][2 * half] = low, weight[kb][2 * half + 1] = high;
        any = ptx::or3(any, low, high);
      });
    });
    return any;
  }

  __device__ void multiply_values(uint32_t at, const uint32_t (&weight)[kKb][4]) {
    unrolled<kN>([&](auto n) {
      unrolled<kKb>([&](auto kb) {
        uint32_t b[4];
        ptx::ldmatrix_x4_trans<kb * 16 * Shape::kRowBytes + n * 32>(b, at);
        ptx::mma(T(), output_[2 * n], weight[kb], b[0], b[1]);
        ptx::mma(T(), output_[2 * n + 1], weight[kb], b[2], b[3]);
      });
    });
    const uint32_t ones = pair_of_ones(T());
    unrolled<kKb>([&](auto kb) { ptx::mma(T(), weights_, weight[kb], ones, ones); });
  }

  // Soft cap and bias, and -infinity where a row does not see a key.
  __device__ void general(const KeySight* keys, float (&score)[kJ][4]) const {
    const int t = threadIdx.x % 4;
    if (run_.softcap != 0) {
      const float cap = run_.softcap * kLog2E;
      unrolled<kJ>([&](auto j) {
        unrolled<4>([&](auto e) {
          float& s = score[j][e];
          s = cap * (1 - __fdividef(2, 1 + ptx::exp2(2 * (s - below_[e / 2])))) + below_[e / 2];  // tanh
        });
      });
    }
    unrolled<kJ>([&](auto j) {
      unrolled<2>([&](auto e) {
        const KeySight key = keys[8 * j + 2 * t + e];
        unrolled<2>([&](auto i) {
          float& s = score[j][2 * i + e];
          s = key.position <= sight_[i].high && key.reach >= sight_[i].low ? s + key.bias : -INFINITY;
        });
      });
    });
  }

  // The first keys of a row set its max; later ones move it when one is above.
  __device__ void rescale(float (&score)[kJ][4]) {
    unrolled<2>([&](auto i) {
      float top = -INFINITY;
      unrolled<kJ>([&](auto j) { top = fmaxf(top, fmaxf(score[j][2 * i], score[j][2 * i + 1])); });
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
      const bool moves = top > (seen_[i] ? -kMargin : -INFINITY);
      const float by = moves ? top + kMargin : 0.0f, factor = moves && seen_[i] ? ptx::exp2(-by) : 1.0f;
      seen_[i] |= moves;
      below_[i] -= by;
      unrolled<kJ>([&](auto j) { score[j][2 * i] -= by, score[j][2 * i + 1] -= by; });
      unrolled<2 * kN>([&](auto n) { output_[n][2 * i] *= factor, output_[n][2 * i + 1] *= factor; });
      weights_[2 * i] *= factor, weights_[2 * i + 1] *= factor;
    });
    if (seen_[0] && seen_[1] && !run_.row_max) move_always_ = 0;
  }

  const AttendCudaRun& run_;
  const AttendCudaTask& task_;
  Sight sight_[2];
  int first_row_;
  bool idle_, seen_[2] = {false, false};
  uint32_t move_always_;     // kAboveOne: a row has seen no key yet, or its true max is wanted; else 0
  float below_[2] = {0, 0};  // -(max + kMargin), where weights are relative to
  uint32_t query_[kQueriesStay ? kS : 1][4], queries_at_, k_at_, v_at_;
  float output_[2 * kN][4] = {}, weights_[4] = {};
};

// Grid: tasks.
template <class T, int kDim>
__global__ void __launch_bounds__(AttendShape<kDim>::kThreads, kDim <= 64    ? 3
                                                               : kDim <= 128 ? 2
                                                                             : 1) tensor_attend(const __grid_constant__ AttendCudaRun run) {
  using Shape = AttendShape<kDim>;
  using Chunk = ChunkKeys<Shape::kKeys>;
  extern __shared__ __align__(16) uint8_t shared[];
  __shared__ Chunk chunk;
  __shared__ int32_t plain_low, plain_high;
  const AttendCudaTask& task = run.tasks[blockIdx.x];
  const int32_t length = run.key_lengths ? run.key_lengths[task.batch] : run.keys;

  // What every row sees.
  if (threadIdx.x == 0) plain_low = INT32_MIN, plain_high = INT32_MAX;
  __syncthreads();
  if (static_cast<int>(threadIdx.x) < task.queries) {
    const Sight sight = sight_of(run, task, length, task.query + static_cast<int32_t>(threadIdx.x));
    atomicMax(&plain_low, sight.low);
    atomicMin(&plain_high, sight.high);
  }
  __syncthreads();
  KeyWalk<Shape::kKeys> walk(run, task, length, {plain_low, plain_high}, run.head_dim == kDim, run.k_token == kDim);
  const KeyLoader<kDim> loader(run, task);
  const uint32_t base = ptx::shared_address(shared);
  const int chunks = walk.chunks();
  const bool walks = threadIdx.x / 32 == blockIdx.x % 4;  // neighbours on a multiprocessor do not burden the same scheduler

  if (walks) walk.next(chunk, 0);
  __syncthreads();
  uint32_t flags = 0, next_flags = 0;
  if (chunks > 0) next_flags = loader.load(chunk, 0, base);
  ptx::cp_async_commit();
  if (walks) walk.next(chunk, 1);
  AttendWarp<T, kDim> warp(run, task, length, base + Shape::kStages * Shape::kStageBytes);

  uint32_t stage = base, other = base + Shape::kStageBytes;
  for (int c = 0; c < chunks; ++c) {
    flags = next_flags;
    ptx::cp_async_wait<0>();
    __syncthreads();  // the chunk is there, all have left the other stage, and the next chunk is known
    if (c + 1 < chunks) next_flags = loader.load(chunk, (c + 1) % Chunk::kBuffers, other);
    ptx::cp_async_commit();
    if (walks) walk.next(chunk, (c + 2) % Chunk::kBuffers);
    if (!warp.idle()) warp.chunk(stage, chunk, c % Chunk::kBuffers, flags);
    const uint32_t swap = stage;
    stage = other, other = swap;
  }
  ptx::cp_async_wait<0>();
  if (!warp.idle()) warp.finish();
}

}  // namespace sk

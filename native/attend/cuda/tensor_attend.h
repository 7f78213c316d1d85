// Attention on tensor cores: load -> multiply -> softmax -> multiply -> finish, for one task of up to 64 rows, four warps of 16.
//
// The floor of a chunk of 64 keys is its 2 * kDim * 16 mma-flops a row or, with few rows, its bytes. An online softmax has about as many
// other instructions for each score as there are mma for it, so the rest is made small: the scale is in the queries (rounded once more, as
// the weights are); the product of queries and keys begins with -max instead of 0, so that scores come out ready for exp2; the sums of
// weights are a product with ones; and a row's max moves only when a weight reaches 2, which one bit of it tells, so sums are hardly ever
// rescaled.
//
// With kDim = 128, of the instructions of a chunk in the middle of a list about two thirds are mma, exp2 and memory's (PTX, counted by
// test/cuda/attend-counters.test.ts).
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
  static constexpr int kJ = kCudaKeys / 8, kKb = kCudaKeys / 16, kN = kDim / 16, kS = kDim / 16;

 public:
  __device__ AttendWarp(const AttendCudaRun& run, const AttendCudaTask& task, int32_t length) : run_(run), task_(task) {
    const int lane = threadIdx.x % 32, g = lane / 4;
    first_row_ = static_cast<int>(threadIdx.x) / 32 * 16 + g;
    const int rows = task.heads * task.queries;
    idle_ = static_cast<int>(threadIdx.x) / 32 * 16 >= rows;
    unrolled<2>([&](auto i) {
      const int row = min(first_row_ + 8 * i, rows - 1);
      sight_[i] = sight_of(run, task, length, task.query + row % task.queries);
    });
    load_queries(rows);
    k_at_ = ptx::kept<uint32_t>((lane % 8 + lane / 16 * 8) * Shape::kRowBytes + lane / 8 % 2 * 16);
    v_at_ = ptx::kept<uint32_t>(Shape::kTileBytes + lane % 16 * Shape::kRowBytes + lane / 16 * 16);
  }

  __device__ bool idle() const { return idle_; }

  // Folds a chunk into the sums.
  __device__ void chunk(uint32_t stage, const ChunkTokens& tokens, int buffer) {
    float score[kJ][4];
    multiply_keys(stage + k_at_, score);
    if (!(tokens.flags_of(buffer) & ChunkTokens::kPlain)) general(tokens, buffer, score);
    uint32_t weight[kKb][4], any = weigh(score, weight);
    if (__any_sync(0xffffffffu, fresh_ || any & kAboveOne)) {
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
      const float sum = weights_[2 * i], max = seen_[i] ? max_[i] : -INFINITY;
      float factor = 1;
      float* to;
      if (task_.parts > 1) {
        to = run_.part_output + (task_.partial + row) * run_.head_dim;
        if (t == 0) run_.part_max[task_.partial + row] = max, run_.part_sum[task_.partial + row] = sum;
      } else {
        to = finish_row(run_, task_, row, max, sum, t == 0, &factor);
      }
      unrolled<2 * kN>([&](auto n) {
        const int dim = n * 8 + 2 * t;
        if (dim < run_.head_dim)
          *reinterpret_cast<float2*>(to + dim) = make_float2(output_[n][2 * i] * factor, output_[n][2 * i + 1] * factor);
      });
    });
  }

 private:
  // Queries times scale * log2(e), as fragments of A.
  __device__ void load_queries(int rows) {
    const int t = threadIdx.x % 4;
    const float scale = (run_.softcap == 0 ? run_.scale : run_.scale / run_.softcap) * kLog2E;
    unrolled<2>([&](auto i) {
      const int row = first_row_ + 8 * i;
      const T* q = static_cast<const T*>(run_.q) + task_.batch * run_.q_batch + (task_.head + row / task_.queries) * run_.q_head +
                   (task_.query + row % task_.queries) * run_.q_token;
      unrolled<2 * kS>([&](auto half_step) {
        const int dim = half_step * 8 + 2 * t;
        float low = 0, high = 0;
        if (row < rows && dim < run_.head_dim) {
          const uint32_t pair = *reinterpret_cast<const uint32_t*>(q + dim);  // rows are whole pieces of 16 bytes
          low = widen_from(T{static_cast<uint16_t>(pair)}), high = widen_from(T{static_cast<uint16_t>(pair >> 16)});
        }
        query_[half_step / 2][half_step % 2 * 2 + i] = ptx::pack(T(), low * scale, high * scale);
      });
    });
  }

  __device__ void multiply_keys(uint32_t at, float (&score)[kJ][4]) const {
    unrolled<kS>([&](auto s) {
      unrolled<kKb>([&](auto kb) {
        uint32_t b[4];
        ptx::ldmatrix_x4<kb * 16 * Shape::kRowBytes + s * 32>(b, at);
        unrolled<2>([&](auto half) {
          float (&d)[4] = score[2 * kb + half];
          if constexpr (s == 0)
            ptx::mma(T(), d, query_[s], b[2 * half], b[2 * half + 1], -max_[0], -max_[0], -max_[1], -max_[1]);
          else
            ptx::mma(T(), d, query_[s], b[2 * half], b[2 * half + 1]);
        });
      });
    });
  }

  // Weights in pairs, as fragments of A, and all their bits in one word.
  __device__ static uint32_t weigh(const float (&score)[kJ][4], uint32_t (&weight)[kKb][4]) {
    uint32_t any = 0;
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
  __device__ void general(const ChunkTokens& tokens, int buffer, float (&score)[kJ][4]) const {
    const int t = threadIdx.x % 4, kv_head = task_.head / (run_.heads / run_.kv_heads);
    const bool uncut = tokens.flags_of(buffer) & ChunkTokens::kUncut;
    const int32_t* positions = run_.key_positions ? run_.key_positions + task_.batch * run_.key_positions_batch : nullptr;
    const float* bias = run_.key_bias
                            ? run_.key_bias + static_cast<int64_t>((task_.batch * run_.kv_heads + kv_head) % run_.key_bias_rows) * run_.keys
                            : nullptr;
    unrolled<kJ>([&](auto j) {
      unrolled<2>([&](auto e) {
        const int slot = 8 * j + 2 * t + e;
        const int32_t token = tokens.token[buffer][slot], position = positions && token >= 0 ? positions[token] : token;
        const float add = bias && token >= 0 ? bias[token] * kLog2E : 0.0f;
        unrolled<2>([&](auto i) {
          float& s = score[j][2 * i + e];
          if (run_.softcap != 0) {
            const float raw = (s + max_[i]) * (1 / kLog2E);
            s = run_.softcap * kLog2E * tanhf(raw) - max_[i];
          }
          const bool sees =
              token >= 0 && (uncut || (position <= sight_[i].high && (position >= sight_[i].low || position < run_.sink_tokens)));
          s = sees ? s + add : -INFINITY;
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
      const bool moves = top > (seen_[i] ? 0.0f : -INFINITY);
      const float by = moves ? top : 0.0f, factor = moves && seen_[i] ? ptx::exp2(-by) : 1.0f;
      seen_[i] |= moves;
      max_[i] += by;
      unrolled<kJ>([&](auto j) { score[j][2 * i] -= by, score[j][2 * i + 1] -= by; });
      unrolled<2 * kN>([&](auto n) { output_[n][2 * i] *= factor, output_[n][2 * i + 1] *= factor; });
      weights_[2 * i] *= factor, weights_[2 * i + 1] *= factor;
    });
    fresh_ = !(seen_[0] && seen_[1]);
  }

  const AttendCudaRun& run_;
  const AttendCudaTask& task_;
  Sight sight_[2];
  int first_row_;
  bool idle_, seen_[2] = {false, false};
  bool fresh_ = true;  // a row has seen no key yet
  float max_[2] = {0, 0};
  uint32_t query_[kS][4], k_at_, v_at_;
  float output_[2 * kN][4] = {}, weights_[4] = {};
};

// Grid: tasks.
template <class T, int kDim>
__global__ void __launch_bounds__(AttendShape<kDim>::kThreads, 2) tensor_attend(const __grid_constant__ AttendCudaRun run) {
  using Shape = AttendShape<kDim>;
  extern __shared__ __align__(16) uint8_t shared[];
  __shared__ ChunkTokens tokens;
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
  KeyWalk walk(run, task, length, {plain_low, plain_high}, run.head_dim == kDim);
  const KeyLoader<kDim> loader(run, task);
  const uint32_t base = ptx::shared_address(shared);
  const int chunks = walk.chunks();
  const bool walks = threadIdx.x < kCudaKeys;

  if (walks) walk.next(tokens, 0);
  __syncthreads();
  if (chunks > 0) loader.load(tokens, 0, base);
  ptx::cp_async_commit();
  if (walks) walk.next(tokens, 1);
  AttendWarp<T, kDim> warp(run, task, length);

  uint32_t stage = base, other = base + Shape::kStageBytes;
  for (int c = 0; c < chunks; ++c) {
    const int buffer = c % ChunkTokens::kBuffers;
    ptx::cp_async_wait<0>();
    __syncthreads();  // the chunk is there, all have left the other stage, and the next chunk's tokens are known
    if (c + 1 < chunks) loader.load(tokens, (c + 1) % ChunkTokens::kBuffers, other);
    ptx::cp_async_commit();
    if (walks) walk.next(tokens, (c + 2) % ChunkTokens::kBuffers);
    if (!warp.idle()) warp.chunk(stage, tokens, buffer);
    const uint32_t swap = stage;
    stage = other, other = swap;
  }
  ptx::cp_async_wait<0>();
  if (!warp.idle()) warp.finish();
}

}  // namespace sk

// score: how much queries and keys have to do with each other, by token, page or block.
//
//   s[i, j] = scale q[i] k[j]        q [batch, heads, queries, dim], k [batch, kv_heads, keys, dim] by strides, float32
//
// Query head h belongs to key-value head h / (heads / kv_heads). Query i sees the keys [0, limit[i]).
// Nothing outside the arrays named here is read or written.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/kernel.h"
#include "../core/status.h"
#include "../simd/half.h"

namespace sk {

struct Strided {
  const float* data = nullptr;
  int64_t batch_stride = 0, head_stride = 0, token_stride = 0;  // in elements
};

// How the query heads of one key-value head are made one.
enum class GroupReduce : int { kNone = 0, kSum = 1, kMax = 2 };

struct ScoreOptions {
  Strided q, k;
  const BHalf* k_bf16 = nullptr;  // instead of k.data, with the strides of k: one query, score_bounds or channels_first only
  bool channels_first = false;  // k is [batch, kv_heads, dim, keys], its token_stride from channel to channel: score_dot of one query only
  int64_t batch = 0, heads = 0, kv_heads = 0, queries = 0, keys = 0, dim = 0;
  float scale = 1;
  const int32_t* limit = nullptr;  // [queries] or null: all keys
  GroupReduce group = GroupReduce::kNone;
  std::string isa;
  int threads = 1024;
  const std::atomic<bool>* cancel = nullptr;

  int64_t group_size() const { return heads / kv_heads; }
  int64_t out_heads() const { return group == GroupReduce::kNone ? heads : kv_heads; }
};

// out [batch, out_heads, queries, keys]: s, -infinity beyond the limit; `softmax`: each row's softmax, 0 beyond; then the group is reduced.
Status score_dot(const ScoreOptions& options, bool softmax, float* out);

// The same where k holds pages, the least and the greatest of each channel in rows of 2 dim: upper bounds of the dot products,
// scale sum over c of max(q[c] least[c], q[c] greatest[c]).
Status score_bounds(const ScoreOptions& options, float* out);

// out [batch, out_heads, ceil(queries / block_q), ceil(keys / block_k)]: over each tile the greatest s (kMax; -infinity where all is beyond
// the limit) or the sum of e^(s - lse) (kMass; lse [batch, heads, queries], a row of -infinity counts 0).
enum class BlockKind : int { kMax = 0, kMass = 1 };
Status score_blocks(const ScoreOptions& options, BlockKind kind, int64_t block_q, int64_t block_k, const float* lse, float* out);

// A = softmax of the last `queries` queries, which stand at the last positions, over the keys up to their own.
// vertical [batch, heads, keys]: sums of A over the queries; slash [batch, heads, keys]: sums over the diagonals, entry o = position - key.
Status score_lines(const ScoreOptions& options, float* vertical, float* slash);

// Every `stride`-th antidiagonal of each stride x stride tile: s' = scale sum over i of q[stride m + stride - 1 - i] k[stride n + i],
// softmax over n (causal: up to the last reduced position that m sees), summed over tiles of `block` tokens. out [batch, heads,
// ceil(queries / block), ceil(keys / block)].
Status score_antidiagonal(const ScoreOptions& options, int64_t stride, int64_t block, bool causal, float* out);

// out [rows, out_columns]: over windows of columns, entry b: x[b stride - left + i] for i in [0, size) that exist, summed with weight[i]
// or, without weights, their greatest (-infinity where there is none).
void pool_scores(const float* x, int64_t rows, int64_t columns, int64_t stride, int64_t left, int64_t size, const float* weight,
                 int64_t out_columns, int threads, float* out);

std::vector<KernelRow> score_kernels();

}  // namespace sk

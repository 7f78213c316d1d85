// What the host part of score on a device and its kernels share: the arguments of one run, all in device memory. No CUDA headers.
#pragma once

#include <cstdint>

#include "../../core/tensor.h"

namespace sk {

// q and k: float32, float16 or bfloat16, as native/score/score.h says.
struct ScoreCudaOperand {
  const void* data;
  DType type;
  int64_t element_bytes, batch, head, token;  // elements from one to the next
};

struct ScoreCudaRun {
  ScoreCudaOperand q, k;
  int64_t batches;
  int32_t heads, kv_heads, group, queries, keys, dim;  // heads = kv_heads * group
  float scale;
  const int32_t* limit;  // [queries], cut to [0, keys]; null: all keys
  bool causal;           // instead of a limit: query i sees the keys up to i + keys - queries
  // The query heads of a group made one: members = group, else 1; by their greatest, else by their sum.
  int32_t members;
  bool greatest;
  float* out;  // dot, bounds: [batches, heads / members, queries, keys]
  // Blocks: [batches, heads / members, ceil(queries / block_q), ceil(keys / block_k)]
  int32_t block_q, block_k;
  const float* lse;  // [batches, heads, queries], of masses
  // Lines: out [sequences, queries, keys] becomes its softmax, vertical and slash [sequences, keys]
  float *vertical, *slash;
  int64_t sequences;
};

// One row of kernels.def. The functions put work on the stream and return a cudaError_t; there is at least one query, key and dim.
struct ScoreCudaKernel {
  const char* name;  // score_f16_any_cuda, by the type of k
  int (*dot)(const ScoreCudaRun& run, void* stream);
  int (*bounds)(const ScoreCudaRun& run, void* stream);  // rows of k hold 2 dim numbers: the least, then the greatest
  int (*most)(const ScoreCudaRun& run, void* stream);
  int (*mass)(const ScoreCudaRun& run, void* stream);
  int (*softmax)(const ScoreCudaRun& run, void* stream);                      // rows of out [sequences, queries, keys] in place
  int (*reduce)(const ScoreCudaRun& run, const float* scores, void* stream);  // [batches, heads, queries, keys] to out
  int (*lines)(const ScoreCudaRun& run, void* stream);                        // sums of a softmax
};

}  // namespace sk

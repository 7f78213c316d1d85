// What the CUDA plan and the kernels share: tasks, lists and the arguments of one run, all in device memory. No CUDA headers.
#pragma once

#include <cstdint>

namespace sk {

constexpr int kCudaRows = 64;  // of a task at most: four warps of 16
constexpr float kLog2E = 1.44269504088896341f, kLn2 = 0.693147180559945309f;

// Rows that read the same keys: row r is query `query + r % queries` of head `head + r / queries`. With parts > 1 the task has only a part
// of their keys, and its sums go to rows partial .. partial + heads * queries - 1 of the workspace.
struct AttendCudaTask {
  int64_t list;  // row of the lists
  int32_t batch, head, heads, query, queries;
  int32_t part, parts;
  int64_t partial;
};

// Lists of a plan, one behind the other, or lists of a run, which the device has made: those are not looked into before the kernel does.
// There ids of keys that do not exist are passed over, counts are cut to the capacity, and a count below 0 makes the results of its row
// NaN.
struct AttendCudaLists {
  const int64_t* start;  // [rows + 1]; null: row r begins at r * capacity
  const int32_t* index;
  const int32_t* count;  // [rows], where start is null
  int32_t capacity;
};

struct AttendCudaRun {
  const AttendCudaTask* tasks;
  int64_t task_count;
  AttendCudaLists tiles, full_tiles, columns;
  int32_t tile_keys, id_keys;  // the tile of id i is keys [i * id_keys, i * id_keys + tile_keys)

  int32_t heads, kv_heads, queries, keys, head_dim;
  // Elements from one batch entry, head and token to the next.
  int64_t q_batch, q_head, q_token, k_batch, k_head, k_token;
  const void *q, *k, *v;  // float16 or bfloat16

  // Keys in pages: token t of a batch entry is row table[batch * pages_batch + t / page_tokens] * page_rows + t % page_tokens of k and v,
  // of k_token elements. Entries that are not below `pages` are keys that are not there.
  const int32_t* page_table;  // null: dense
  int32_t page_tokens, page_rows, pages, pages_batch;

  bool causal;
  int32_t window, sink_tokens;     // window 0: none
  float scale, softcap;            // softcap 0: none
  const int32_t* query_positions;  // null: bottom-right aligned
  int32_t query_positions_batch;   // elements from one batch entry to the next: 0 or queries
  const int32_t* key_positions;    // null: the index
  int32_t key_positions_batch;
  const int32_t* key_lengths;  // [batch]; null: keys
  const float* key_bias;       // [rows, keys]; row (batch * kv_heads + kv head) % rows; null: none
  int32_t key_bias_rows;
  float log_weight;
  const float* sink;  // [heads]; null: none

  const float *initial_output, *initial_lse;  // as output and lse; null: none

  float *output, *lse;                       // as q, and [batch, heads, queries]
  float* row_max;                            // as lse; null: not wanted
  float *part_output, *part_max, *part_sum;  // of tasks with parts: [partial rows][head_dim], [partial rows] each
};

// One row of kernels.def. The functions put work on the stream and return a cudaError_t.
struct AttendCudaKernel {
  const char* name;   // attend_f16_any_cuda
  const char* dtype;  // float16 or bfloat16
  int (*attend)(const AttendCudaRun& run, void* stream);
  // The parts of tasks into one.
  int (*merge)(const AttendCudaRun& run, void* stream);
  // Shared memory of a block of threads.
  int64_t (*shared_bytes)(int64_t head_dim);
};

}  // namespace sk

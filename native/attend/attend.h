// attend: attention over the keys that a plan lists.
//
//   s[j] = cap(scale q . k[j]) + bias[j] + log_weight       for the keys j that the row's lists name and its rules admit
//   output = sum_j exp(s[j]) v[j] / (sum_j exp(s[j]) + exp(sink))      0 where there is no key
//   lse    = ln sum_j exp(s[j])                                        -infinity where there is no key
//
// One online softmax: keys go through in chunks, whatever lists them (tiles, columns), wherever they lie (dense, pages). A block is up to
// kAttendRows queries that share a row of lists: queries of one query block and, where the lists belong to a key-value head, the query
// heads that it serves. Each block is summed by one thread in the order of its lists; long lists of few blocks are split into parts of
// a size that depends on the plan only, which are merged in order. So results depend neither on threads nor on timing.
//
// Where few rows of all key-value heads read the same keys of a cache, a task takes a range of keys through all heads (walk.h).
//
// Where blocks would be of few rows but many of them list the same tiles, keys come first: a segment of rows, of any lists, takes the tiles
// in ascending order, each chunk of keys meets all rows that list it, and the rows wait in memory. Its sums do not depend on its size.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "../core/kernel.h"
#include "../core/status.h"
#include "kernel.h"
#include "lists.h"

namespace sk {

enum class HeadSets : int { kShared = 0, kKv = 1, kQ = 2 };

struct AttendOptions {
  int64_t batch, heads, kv_heads, head_dim, queries, keys;
  bool tokens_outside;  // q, k, v and output are [batch, token, head, dim], not [batch, head, token, dim]
  // The lists: row (b * sets + s) * query blocks + i, b < lists_batch (1 or batch).
  HeadSets head_sets;
  int64_t lists_batch, block_queries, block_keys;
  bool token_ids;  // ids of tiles are tokens, not blocks
  ListsView tiles, full_tiles, columns;
  bool validate;  // look for repeated keys
  bool causal;
  int64_t window;  // 0: none
  int64_t sink_tokens;
  float scale;
  float softcap;  // 0: none
  float pv_skip;  // 0: none; above: many rows leave out a chunk of keys whose scores lie so far below the maxima of all of them
  std::string dtype, isa;
  int threads;  // 0: all of the pool
};

// Where keys and values lie: dense in k and v, or, where pages is set, in pages of all key-value heads (cache.h).
struct AttendSource {
  const void *k, *v;
  const void* const* const* pages;  // [batch][pages of it]
  int64_t page_tokens;
};

// q, k, v, the initial state and the results hold the (batch entry, key-value head) units [first_unit, first_unit + units) and the query
// heads that these serve: all batch * kv_heads of them, unless heads are outermost (tokens_outside false). Everything else is for all
// units.
struct AttendOperands {
  int64_t first_unit, units;
  const void* q;
  AttendSource source;
  const int32_t* query_positions;  // [queries] or [batch, queries]; null: bottom-right aligned
  bool query_positions_per_batch;
  const int32_t* key_positions;  // [keys] or [batch, keys]; null: the index
  bool key_positions_per_batch;
  const int32_t* key_lengths;  // [batch], each 0 .. keys; null: keys
  const float* key_bias;       // [keys], [kv_heads, keys] or [batch, kv_heads, keys]; null: none
  int64_t key_bias_rows;       // 1, kv_heads or batch * kv_heads
  float log_weight;
  const float* sink;            // [heads]; null: none
  const float* initial_output;  // as output; null: none
  const float* initial_lse;     // [batch, heads, queries]
};

struct AttendResults {
  float* output;
  float* lse;      // [batch, heads, queries]
  float* row_max;  // likewise; null: not wanted
};

// Rows that share keys, or a part of their keys.
struct AttendTask {
  int64_t row;  // of the lists
  int32_t head, heads;
  int32_t query, queries;
  int32_t part, parts;  // of the keys
  int64_t partial;      // first row of its partial results among those of its unit; only where parts > 1
};

// Most rows of a segment, and most tiles that its rows of lists name together, repeated ones included.
struct SegmentSize {
  int64_t rows, listed;
};

// Immutable. run() may be called from any number of threads at once.
class AttendPlan {
 public:
  static Status create(const AttendOptions& options, std::shared_ptr<const AttendPlan>* plan);

  // Sizes and key_lengths are checked by the caller. `cancel` (may be null) is polled between tasks, and between the tiles of a segment.
  Status run(const AttendOperands& operands, const AttendResults& results, const std::atomic<bool>* cancel) const;

  const AttendKernel& kernel() const { return *kernel_; }
  const AttendOptions& options() const { return o_; }  // without the lists
  const KeyLists& lists() const { return lists_; }
  int64_t listed() const { return listed_; }  // pairs of query and key that the lists name, for one query head each
  size_t bytes() const { return lists_.tiles.bytes() + lists_.full_tiles.bytes() + lists_.columns.bytes(); }
  size_t element_bytes() const;

 private:
  AttendPlan() = default;
  bool prefers_keys();
  bool prefers_walks() const;
  void schedule();
  void split();
  int64_t sets() const;
  int64_t stacked() const;
  int64_t pairs(const AttendTask& task, bool within) const;

  const AttendKernel* kernel_ = nullptr;
  AttendOptions o_ = {};
  KeyLists lists_ = {};
  int64_t listed_ = 0;
  bool keys_first_ = false;
  bool walks_ = false;           // over caches: task i of all key-value heads of a batch entry is one piece of work (walk.h)
  int64_t segment_queries_ = 0;  // where keys come first; sums do not depend on it
  SegmentSize segment_ = {};
  // Tasks of the units of lists_batch batch entries, those of a unit from long to short.
  std::vector<AttendTask> tasks_;
  std::vector<int64_t> unit_tasks_, unit_partials_;  // where those of each unit begin; one entry more than units
};

// Results over disjoint keys into one: rows of d, any of which may be empty (lse -infinity). outputs[i] [rows, d], lses[i] [rows].
void attend_merge(const float* const* outputs, const float* const* lses, int64_t count, int64_t rows, int64_t d, float* output, float* lse);

// Every row of kernels.def, in its order.
std::vector<KernelRow> attend_kernels();

}  // namespace sk

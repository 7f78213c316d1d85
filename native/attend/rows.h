// The rows of a task: where each lies, which positions it sees, what becomes of its sums.
#pragma once

#include "block.h"

namespace sk {

constexpr float kLog2E = 1.44269504088896341f;

int32_t saturate_position(int64_t position);

// What becomes of the sums of a row: the factors of its own and of the initial output.
struct AttendEnding {
  float factor, initial_factor;
};

// Row r: head task.head + r / queries, query task.query + r % queries.
struct TaskRows {
  const AttendRun& run;
  const AttendTask& task;
  int64_t b;

  int64_t count() const { return int64_t{task.heads} * task.queries; }
  int64_t head(int64_t r) const { return task.head + r / task.queries; }
  int64_t query(int64_t r) const { return task.query + r % task.queries; }
  int64_t kv_head() const { return task.head / (run.o.heads / run.o.kv_heads); }
  const void* q(int64_t r) const;
  float* output(int64_t r) const { return run.out.output + element(r); }
  // First and last key position that row r sees.
  void seen(int64_t r, int32_t* low, int32_t* high) const;

  // Writes lse and row_max of row r, given its sum of exp2(score - max).
  AttendEnding end(int64_t r, double max, double sum) const;
  void add_initial(int64_t r, const AttendEnding& ending) const;

 private:
  // Row of [batch, heads, queries] among the units of the run.
  int64_t state(int64_t r) const;
  // Element of q and output at which row r begins.
  int64_t element(int64_t r) const;
};

}  // namespace sk

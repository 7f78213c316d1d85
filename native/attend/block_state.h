// The rows of a task under way: a block, what belongs to it, and what becomes of its sums.
#pragma once

#include "rows.h"

namespace sk {

// Floats of scratch of an AttendBlock of so many rows, which it has to itself, and which blocks of one thread may share.
int64_t block_floats(const AttendOptions& options, int64_t rows);
int64_t shared_block_floats(const AttendOptions& options);

class BlockState {
 public:
  // own: block_floats() of at least its rows as the kernel pads them; shared: shared_block_floats().
  BlockState(const AttendRun& run, const AttendTask& task, int64_t b, float* own, int64_t own_rows, float* shared);
  BlockState(const BlockState&) = delete;
  BlockState& operator=(const BlockState&) = delete;

  int64_t kv_head() const { return rows_.kv_head(); }
  // Positions from the first to the last that some row sees, and those that every row sees.
  int32_t first_seen() const { return first_seen_; }
  int32_t last_seen() const { return last_seen_; }
  bool all_see(int64_t first, int64_t last) const { return first >= seen_from_ && last <= seen_to_; }

  void fold(const AttendKeys& keys) const { rows_.run.kernel.chunk(block_, keys); }
  // Its results, or, where the task is a part of several, `partial`.
  void end(const AttendPartial& partial);

 private:
  const TaskRows rows_;
  AttendBlock block_ = {};
  alignas(64) float max_[kAttendRows];
  alignas(64) float sum_[kAttendRows];
  int32_t low_[kAttendRows], high_[kAttendRows], lowest_[kAttendRows];
  int32_t first_seen_ = INT32_MAX, last_seen_ = INT32_MIN, seen_from_ = INT32_MIN, seen_to_ = INT32_MAX;
};

}  // namespace sk

#include "block_state.h"

#include <algorithm>
#include <cfloat>

namespace sk {
namespace {

// Floats of the arrays of an AttendBlock.
int64_t padded(int64_t d) { return round_up(d, 16); }
constexpr int64_t kScoreFloats = (kAttendKeys + kAttendKeyPadding) * 32;
int64_t copy_floats(int64_t d) { return kAttendKeys * (padded(d) + 16); }

}  // namespace

int64_t block_floats(const AttendOptions& o, int64_t rows) { return 2 * rows * padded(o.head_dim); }

int64_t shared_block_floats(const AttendOptions& o) { return kScoreFloats + 2 * copy_floats(o.head_dim); }

BlockState::BlockState(const AttendRun& run, const AttendTask& task, int64_t b, float* own, int64_t own_rows, float* shared)
    : rows_{run, task, b} {
  const AttendOptions& o = run.o;
  const int count = static_cast<int>(rows_.count());
  const void* q[kAttendRows];
  for (int r = 0; r < kAttendRows; ++r) {
    max_[r] = -FLT_MAX, sum_[r] = 0, lowest_[r] = INT32_MIN;
    if (r >= count) {
      low_[r] = low_[count - 1], high_[r] = high_[count - 1];
      continue;
    }
    rows_.seen(r, low_ + r, high_ + r);
    first_seen_ = std::min(first_seen_, low_[r]), last_seen_ = std::max(last_seen_, high_[r]);
    seen_from_ = std::max(seen_from_, low_[r]), seen_to_ = std::min(seen_to_, high_[r]);
    q[r] = rows_.q(r);
  }
  block_.rows = count, block_.d = static_cast<int>(o.head_dim);
  block_.scale = o.scale * kLog2E, block_.softcap = o.softcap * kLog2E, block_.skip = o.pv_skip * kLog2E;
  block_.sink_tokens = saturate_position(o.sink_tokens), block_.low = low_, block_.high = high_, block_.lowest = lowest_;
  block_.max = max_, block_.sum = sum_;
  block_.queries = own;
  block_.output = own + own_rows * padded(o.head_dim);
  block_.scores = shared;
  block_.keys = shared + kScoreFloats;
  block_.values = block_.keys + copy_floats(o.head_dim);
  run.kernel.begin(block_, q);
}

void BlockState::end(const AttendPartial& partial) {
  const int count = block_.rows;
  alignas(64) float factor[kAttendRows] = {};
  float* output[kAttendRows];
  if (rows_.task.parts > 1) {
    for (int r = 0; r < count; ++r) {
      partial.max[r] = max_[r], partial.sum[r] = sum_[r], factor[r] = 1;
      output[r] = partial.output + r * rows_.run.o.head_dim;
    }
    return rows_.run.kernel.finish(block_, factor, output);
  }
  AttendEnding ending[kAttendRows];
  for (int r = 0; r < count; ++r) {
    ending[r] = rows_.end(r, max_[r], sum_[r]);
    factor[r] = ending[r].factor;
    output[r] = rows_.output(r);
  }
  rows_.run.kernel.finish(block_, factor, output);
  for (int r = 0; r < count; ++r) rows_.add_initial(r, ending[r]);
}

}  // namespace sk

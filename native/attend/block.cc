#include "block.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "block_state.h"
#include "chunks.h"

namespace sk {
int64_t attend_scratch(const AttendOptions& o) { return block_floats(o, kAttendRows) + shared_block_floats(o); }

void attend_task(const AttendRun& run, const AttendTask& task, int64_t b, float* scratch, const AttendPartial& partial) {
  BlockState state(run, task, b, scratch, kAttendRows, scratch + block_floats(run.o, kAttendRows));
  const auto take = [&](const AttendKeys& keys) { state.fold(keys); };
  Chunks chunks(run, b, state.kv_head(), state.first_seen(), state.last_seen(), take);
  add_tiles(run.lists, task, chunks);
  add_columns(run.lists, task, chunks);
  chunks.flush();
  state.end(partial);
}

void attend_join(const AttendRun& run, const AttendTask& task, int64_t b, const AttendPartial& parts) {
  const TaskRows rows = {run, task, b};
  const int64_t count = rows.count(), d = run.o.head_dim;
  for (int64_t r = 0; r < count; ++r) {
    float max = -FLT_MAX;
    for (int64_t p = 0; p < task.parts; ++p) max = std::max(max, parts.max[p * count + r]);
    double sum = 0;
    float* total = parts.output + r * d;
    for (int64_t p = 0; p < task.parts; ++p) {
      const float weight = std::exp2(parts.max[p * count + r] - max);
      const float* part = parts.output + (p * count + r) * d;
      sum += static_cast<double>(parts.sum[p * count + r]) * weight;
      for (int64_t i = 0; i < d; ++i) total[i] = p == 0 ? part[i] * weight : total[i] + part[i] * weight;
    }
    const AttendEnding ending = rows.end(r, max, sum);
    float* output = rows.output(r);
    for (int64_t i = 0; i < d; ++i) output[i] = total[i] * ending.factor;
    rows.add_initial(r, ending);
  }
}

}  // namespace sk

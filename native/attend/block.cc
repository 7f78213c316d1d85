#include "block.h"

#include <algorithm>
#include <cfloat>
#include <climits>
#include <cmath>

#include "chunks.h"
#include "rows.h"

namespace sk {
namespace {

// Floats of the arrays of an AttendBlock.
int64_t padded(int64_t d) { return round_up(d, 16); }
int64_t state_floats(int64_t d) { return kAttendRows * padded(d); }
constexpr int64_t kScoreFloats = (kAttendKeys + kAttendKeyPadding) * 32;
int64_t copy_floats(int64_t d) { return kAttendKeys * (padded(d) + 16); }

// Keys [from, to) of the row, counted through its tiles, full tiles and columns; every tile counts in full.
template <class Take>
void add_range(const KeyLists& lists, int64_t row, int64_t from, int64_t to, Chunks<Take>& chunks) {
  int64_t base = 0;  // of the list in work
  for (const Lists* list : {&lists.tiles, &lists.full_tiles}) {
    const int64_t size = lists.tile_keys, end = std::min(to - base, list->count(row) * size);
    for (int64_t at = std::max<int64_t>(from - base, 0); at < end;) {
      const int64_t next = std::min(end, (at / size + 1) * size), first = list->row(row)[at / size] * lists.id_keys;
      chunks.add(first + at % size, first + at % size + next - at, list == &lists.tiles);
      at = next;
    }
    base += list->count(row) * size;
  }
  const int64_t end = std::min(to - base, lists.columns.count(row));
  for (int64_t at = std::max<int64_t>(from - base, 0); at < end; ++at) {
    const int64_t token = lists.columns.row(row)[at];
    chunks.add(token, token + 1, true);
  }
}

}  // namespace

int64_t attend_scratch(const AttendOptions& o) { return 2 * state_floats(o.head_dim) + kScoreFloats + 2 * copy_floats(o.head_dim); }

void attend_task(const AttendRun& run, const AttendTask& task, int64_t b, float* scratch, const AttendPartial& partial) {
  const AttendOptions& o = run.o;
  const TaskRows rows = {run, task, b};
  const int count = static_cast<int>(rows.count());
  alignas(64) float max[kAttendRows], sum[kAttendRows], factor[kAttendRows];
  int32_t low[kAttendRows], high[kAttendRows], lowest[kAttendRows];
  const void* q[kAttendRows];
  float* output[kAttendRows];
  for (int r = 0; r < kAttendRows; ++r) {
    max[r] = -FLT_MAX, sum[r] = 0, factor[r] = 0, lowest[r] = INT32_MIN;
    rows.seen(std::min(r, count - 1), low + r, high + r);
  }
  for (int r = 0; r < count; ++r) q[r] = rows.q(r);
  AttendBlock block = {};
  block.rows = count, block.d = static_cast<int>(o.head_dim);
  block.scale = o.scale * kLog2E, block.softcap = o.softcap * kLog2E, block.skip = o.pv_skip * kLog2E;
  block.sink_tokens = saturate_position(o.sink_tokens), block.low = low, block.high = high, block.lowest = lowest;
  block.max = max, block.sum = sum;
  block.queries = scratch;
  block.output = block.queries + state_floats(o.head_dim);
  block.scores = block.output + state_floats(o.head_dim);
  block.keys = block.scores + kScoreFloats;
  block.values = block.keys + copy_floats(o.head_dim);
  run.kernel.begin(block, q);
  const auto take = [&](const AttendKeys& keys) { run.kernel.chunk(block, keys); };
  Chunks chunks(run, b, rows.kv_head(), *std::min_element(low, low + count), *std::max_element(high, high + count), take);
  const int64_t keys = run.lists.length(task.row);
  add_range(run.lists, task.row, keys * task.part / task.parts, keys * (task.part + 1) / task.parts, chunks);
  chunks.flush();

  if (task.parts > 1) {
    for (int r = 0; r < count; ++r) {
      partial.max[r] = max[r], partial.sum[r] = sum[r], factor[r] = 1;
      output[r] = partial.output + r * o.head_dim;
    }
    return run.kernel.finish(block, factor, output);
  }
  AttendEnding ending[kAttendRows];
  for (int r = 0; r < count; ++r) {
    ending[r] = rows.end(r, max[r], sum[r]);
    factor[r] = ending[r].factor;
    output[r] = rows.output(r);
  }
  run.kernel.finish(block, factor, output);
  for (int r = 0; r < count; ++r) rows.add_initial(r, ending[r]);
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

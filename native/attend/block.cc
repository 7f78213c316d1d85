#include "block.h"

#include <algorithm>
#include <cfloat>
#include <climits>
#include <cmath>

#include "chunks.h"

namespace sk {
namespace {

constexpr double kLn2 = 0.693147180559945309;

// Floats of the arrays of an AttendBlock.
int64_t padded(int64_t d) { return round_up(d, 16); }
int64_t state_floats(int64_t d) { return kAttendRows * padded(d); }
constexpr int64_t kScoreFloats = (kAttendKeys + kAttendKeyPadding) * 32;
int64_t copy_floats(int64_t d) { return kAttendKeys * (padded(d) + 16); }

int32_t saturate(int64_t position) { return static_cast<int32_t>(std::clamp<int64_t>(position, INT32_MIN, INT32_MAX)); }

// Where the rows of a task lie. Row r: head task.head + r / queries, query task.query + r % queries.
struct Rows {
  const AttendRun& run;
  const AttendTask& task;
  int64_t b;

  int64_t count() const { return int64_t{task.heads} * task.queries; }
  int64_t head(int64_t r) const { return task.head + r / task.queries; }
  int64_t query(int64_t r) const { return task.query + r % task.queries; }
  // Row of [batch, heads, queries] among the units of the run.
  int64_t state(int64_t r) const {
    const int64_t first_head = run.in.first_unit * (run.o.heads / run.o.kv_heads);
    return (b * run.o.heads + head(r) - first_head) * run.o.queries + query(r);
  }
  // Element of q and output at which row r begins.
  int64_t element(int64_t r) const {
    const int64_t row = run.o.tokens_outside ? (b * run.o.queries + query(r)) * run.o.heads + head(r) : state(r);
    return row * run.o.head_dim;
  }
};

// Keys [from, to) of the row, counted through its tiles, full tiles and columns; every tile counts in full.
void add_range(const KeyLists& lists, int64_t row, int64_t from, int64_t to, Chunks& chunks) {
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

// What becomes of the sums of a row: log-sum-exp and the factors of its own and of the initial output.
struct Ending {
  float lse, row_max, factor, initial_factor;
};

Ending end_row(const AttendRun& run, const Rows& rows, int64_t r, double max, double sum) {
  const AttendOperands& in = run.in;
  Ending e = {-INFINITY, -INFINITY, 0, 0};
  double top = -INFINITY, own = 0, initial = 0;  // own and initial: weights relative to 2^top
  if (!(sum <= 0)) {                             // NaN goes on
    max += static_cast<double>(in.log_weight) / kLn2;
    top = max, own = sum;
    e.row_max = static_cast<float>(max * kLn2);
  }
  const double before = in.initial_lse != nullptr ? in.initial_lse[rows.state(r)] / kLn2 : -INFINITY;
  if (before != -INFINITY) {
    const double both = std::max(top, before);
    own *= std::exp2(top - both);
    initial = std::exp2(before - both);
    top = both;
  }
  double total = own + initial;
  if (total == 0) return e;
  e.lse = static_cast<float>((top + std::log2(total)) * kLn2);
  if (in.sink != nullptr) total += std::exp2(in.sink[rows.head(r)] / kLn2 - top);
  e.factor = sum > 0 || sum != sum ? static_cast<float>(own / sum / total) : 0;
  e.initial_factor = static_cast<float>(initial / total);
  return e;
}

// Writes lse and row_max of row r, returns the factors of its output; adds the initial output where there is one (`add`).
float write_state(const AttendRun& run, const Rows& rows, int64_t r, const Ending& e) {
  const int64_t at = rows.state(r);
  run.out.lse[at] = e.lse;
  if (run.out.row_max != nullptr) run.out.row_max[at] = e.row_max;
  return e.factor;
}

void add_initial(const AttendRun& run, const Rows& rows, int64_t r, const Ending& e) {
  if (e.initial_factor == 0) return;
  float* output = run.out.output + rows.element(r);
  const float* initial = run.in.initial_output + rows.element(r);
  for (int64_t i = 0; i < run.o.head_dim; ++i) output[i] += initial[i] * e.initial_factor;
}

}  // namespace

int64_t attend_scratch(const AttendOptions& o) { return 2 * state_floats(o.head_dim) + kScoreFloats + 2 * copy_floats(o.head_dim); }

void attend_task(const AttendRun& run, const AttendTask& task, int64_t b, float* scratch, const AttendPartial& partial) {
  const AttendOptions& o = run.o;
  const Rows rows = {run, task, b};
  const int count = static_cast<int>(rows.count());
  alignas(64) float max[kAttendRows], sum[kAttendRows], factor[kAttendRows];
  int32_t low[kAttendRows], high[kAttendRows], lowest[kAttendRows];
  const void* q[kAttendRows];
  float* output[kAttendRows];
  const int64_t length = run.in.key_lengths != nullptr ? run.in.key_lengths[b] : o.keys;
  const int32_t* positions = run.in.query_positions;
  if (positions != nullptr && run.in.query_positions_per_batch) positions += b * o.queries;
  for (int r = 0; r < kAttendRows; ++r) {
    max[r] = -FLT_MAX, sum[r] = 0, factor[r] = 0, lowest[r] = INT32_MIN;
    const int64_t query = rows.query(std::min(r, count - 1));
    const int64_t position = positions != nullptr ? positions[query] : query + length - o.queries;
    low[r] = o.window > 0 ? saturate(position - o.window + 1) : INT32_MIN;
    high[r] = o.causal ? saturate(position) : INT32_MAX;
  }
  const int64_t bytes = o.dtype == "float32" ? 4 : 2;
  for (int r = 0; r < count; ++r) q[r] = static_cast<const char*>(run.in.q) + rows.element(r) * bytes;
  AttendBlock block = {};
  block.rows = count, block.d = static_cast<int>(o.head_dim);
  block.scale = o.scale * kLog2E, block.softcap = o.softcap * kLog2E, block.skip = o.pv_skip * kLog2E;
  block.sink_tokens = saturate(o.sink_tokens), block.low = low, block.high = high, block.lowest = lowest;
  block.max = max, block.sum = sum;
  block.queries = scratch;
  block.output = block.queries + state_floats(o.head_dim);
  block.scores = block.output + state_floats(o.head_dim);
  block.keys = block.scores + kScoreFloats;
  block.values = block.keys + copy_floats(o.head_dim);
  run.kernel.begin(block, q);
  Chunks chunks(run, block, b, task.head / (o.heads / o.kv_heads));
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
  Ending ending[kAttendRows];
  for (int r = 0; r < count; ++r) {
    ending[r] = end_row(run, rows, r, max[r], sum[r]);
    factor[r] = write_state(run, rows, r, ending[r]);
    output[r] = run.out.output + rows.element(r);
  }
  run.kernel.finish(block, factor, output);
  for (int r = 0; r < count; ++r) add_initial(run, rows, r, ending[r]);
}

void attend_join(const AttendRun& run, const AttendTask& task, int64_t b, const AttendPartial& parts) {
  const Rows rows = {run, task, b};
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
    const Ending ending = end_row(run, rows, r, max, sum);
    const float factor = write_state(run, rows, r, ending);
    float* output = run.out.output + rows.element(r);
    for (int64_t i = 0; i < d; ++i) output[i] = total[i] * factor;
    add_initial(run, rows, r, ending);
  }
}

}  // namespace sk

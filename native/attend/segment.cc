#include "segment.h"

#include <algorithm>
#include <cfloat>
#include <climits>

#include "chunks.h"
#include "rows.h"

namespace sk {
namespace {

int64_t stride_of(const AttendOptions& o) { return round_up(o.head_dim, kAttendRowPadding); }

// Cuts scratch into arrays that begin at cache lines; without memory it only counts.
struct Carver {
  float* base;
  int64_t used = 0;

  float* floats(int64_t n) {
    float* at = base == nullptr ? nullptr : base + used;
    used += round_up(n, 16);
    return at;
  }
  int32_t* ints(int64_t n) { return reinterpret_cast<int32_t*>(floats(n)); }
};

struct Scratch {
  AttendSegment segment = {};
  int32_t *low, *high;
  int32_t *start, *entry;  // the lists the other way round: rows of lists entry[start[t]] to entry[start[t + 1] - 1] name tile t
  int32_t* rows;           // of the segment: those of a tile
  int64_t used;

  Scratch(const AttendOptions& o, const SegmentSize& size, int64_t tiles, float* memory) {
    Carver carver = {memory};
    const int64_t rows_and_spare = size.rows + 1, stride = stride_of(o);
    low = carver.ints(rows_and_spare), high = carver.ints(rows_and_spare);
    segment.max = carver.floats(rows_and_spare), segment.sum = carver.floats(rows_and_spare);
    segment.queries = carver.floats(rows_and_spare * stride), segment.output = carver.floats(rows_and_spare * stride);
    segment.scores = carver.floats(kAttendSegmentScores * kAttendKeys);
    segment.keys = carver.floats(kAttendKeys * stride), segment.values = carver.floats(kAttendKeys * stride);
    start = carver.ints(tiles + 2), entry = carver.ints(size.listed), rows = carver.ints(size.rows);
    used = carver.used;
    segment.d = static_cast<int>(o.head_dim), segment.stride = static_cast<int>(stride);
    segment.scale = o.scale * kLog2E, segment.softcap = o.softcap * kLog2E;
    segment.sink_tokens = saturate_position(o.sink_tokens), segment.low = low, segment.high = high;
  }
};

// A counting sort of what rows [first, first + count) of the lists name.
void turn_round(const Lists& lists, int64_t first, int64_t count, int64_t tiles, const Scratch& s) {
  std::fill_n(s.start, tiles + 2, 0);
  for (int64_t row = first; row < first + count; ++row)
    for (int64_t i = 0; i < lists.count(row); ++i) ++s.start[lists.row(row)[i] + 2];
  for (int64_t t = 2; t < tiles + 2; ++t) s.start[t] += s.start[t - 1];
  for (int64_t row = first; row < first + count; ++row)  // entry t + 1 of start moves from where tile t begins to where it ends
    for (int64_t i = 0; i < lists.count(row); ++i) s.entry[s.start[lists.row(row)[i] + 1]++] = static_cast<int32_t>(row - first);
}

// Collects the rows of the segment whose lists name a tile: how many there are.
int rows_of_tile(int64_t tile, const AttendOptions& o, const AttendTask& task, const Scratch& s) {
  int n = 0;
  for (int32_t e = s.start[tile]; e < s.start[tile + 1]; ++e) {
    const int64_t first = s.entry[e] * o.block_queries, end = std::min<int64_t>(first + o.block_queries, task.queries);
    for (int64_t query = first; query < end; ++query)
      for (int32_t head = 0; head < task.heads; ++head) s.rows[n++] = static_cast<int32_t>(head * task.queries + query);
  }
  return n;
}

}  // namespace

int64_t segment_scratch(const AttendOptions& o, const SegmentSize& size, int64_t tiles) { return Scratch(o, size, tiles, nullptr).used; }

void attend_segment(const AttendRun& run, const AttendTask& task, int64_t b, const SegmentSize& size, float* memory) {
  const AttendOptions& o = run.o;
  const TaskRows rows = {run, task, b};
  const int64_t tiles = run.lists.ids, list_rows = ceil_div(task.queries, o.block_queries);
  Scratch s(o, size, tiles, memory);
  AttendSegment& segment = s.segment;
  const int count = static_cast<int>(rows.count());
  segment.rows = count;
  std::fill_n(segment.output, int64_t{count + 1} * segment.stride, 0.0f);
  std::fill_n(segment.queries + int64_t{count} * segment.stride, segment.stride, 0.0f);
  s.low[count] = INT32_MIN, s.high[count] = INT32_MAX;
  for (int r = 0; r <= count; ++r) segment.max[r] = -FLT_MAX, segment.sum[r] = 0;
  for (int r = 0; r < count; ++r) {
    rows.seen(r, s.low + r, s.high + r);
    run.kernel.take(segment, r, rows.q(r));
  }

  for (const Lists* lists : {&run.lists.tiles, &run.lists.full_tiles}) {
    turn_round(*lists, task.row, list_rows, tiles, s);
    for (int64_t t = 0; t < tiles && !run.cancelled(); ++t) {
      const int listed = rows_of_tile(t, o, task, s);
      if (listed == 0) continue;
      int32_t first_seen = INT32_MAX, last_seen = INT32_MIN;
      for (int r = 0; r < listed; ++r)
        first_seen = std::min(first_seen, s.low[s.rows[r]]), last_seen = std::max(last_seen, s.high[s.rows[r]]);
      const auto take = [&](const AttendKeys& keys) { run.kernel.fold(segment, keys, s.rows, listed); };
      Chunks chunks(run, b, rows.kv_head(), first_seen, last_seen, take);
      const int64_t first = t * run.lists.id_keys;
      chunks.add(first, first + run.lists.tile_keys, lists == &run.lists.tiles);
      chunks.flush();
    }
  }

  for (int r = 0; r < count; ++r) {
    const AttendEnding ending = rows.end(r, segment.max[r], segment.sum[r]);
    const float* from = segment.output + int64_t{r} * segment.stride;
    float* to = rows.output(r);
    for (int64_t i = 0; i < o.head_dim; ++i) to[i] = from[i] * ending.factor;
    rows.add_initial(r, ending);
  }
}

}  // namespace sk

// How a plan is cut into tasks.
#include <algorithm>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "attend.h"
#include "walk.h"

namespace sk {
namespace {

// Plans of fewer tasks than this have the keys of each task cut into parts, so that all threads of a large machine find work.
constexpr int64_t kEnoughTasks = 64;
constexpr int64_t kPartKeys = 2048, kMostParts = 1024;

// Caches are walked through by pieces of all key-value heads, which are shorter, where there are so many of them.
// More of them than a machine has use for would only cost time to begin, end and join.
constexpr int64_t kWalkKeys = 512, kEnoughWalks = 32, kMostWalks = 64;

// Keys come first where each tile is named by so many rows of a segment, on average, that laying it out pays: from 4 on for one row a list,
// from 16 on for 8 (AVX2, heads of 64 and 128, tiles of 16 and 64 keys). Threads without work are worth segments of fewer rows.
constexpr int64_t kSegmentRows = 1024, kLeastSharing = 16, kLeastTileKeys = 8, kSegmentsPerThread = 4;

}  // namespace

int64_t AttendPlan::sets() const { return o_.head_sets == HeadSets::kShared ? 1 : o_.head_sets == HeadSets::kKv ? o_.kv_heads : o_.heads; }

// Query heads that share lists and keys, as many as fit in a block with the queries of a row of lists.
int64_t AttendPlan::stacked() const {
  if (o_.head_sets == HeadSets::kQ) return 1;
  return std::min(o_.heads / o_.kv_heads, kAttendRows / std::min<int64_t>(o_.block_queries, kAttendRows));
}

// Whether few rows have lists of their own, but many of these name the same tiles; if so, sizes the segments. A tile that a list names
// twice counts twice, which only blocks do.
bool AttendPlan::prefers_keys() {
  const int64_t list_rows = stacked() * o_.block_queries, lists_of_head = ceil_div(o_.queries, o_.block_queries);
  if (list_rows > kAttendFewRows || lists_of_head * list_rows < kLeastSharing || lists_.tile_keys < kLeastTileKeys) return false;
  if (lists_.columns.total() > 0) return false;
  const int64_t most_lists = kSegmentRows / list_rows;
  std::vector<int64_t> named_by(static_cast<size_t>(lists_.ids));
  int64_t named = 0, distinct = 0;  // tiles: by the lists, by segments of most_lists
  for (int64_t first = 0; first < o_.lists_batch * sets() * lists_of_head;) {
    const int64_t end = std::min(first + most_lists, (first / lists_of_head + 1) * lists_of_head);
    for (const Lists* lists : {&lists_.tiles, &lists_.full_tiles}) {
      const int64_t before = named;
      std::fill(named_by.begin(), named_by.end(), -1);
      for (int64_t row = first; row < end; ++row)
        for (int64_t i = 0; i < lists->count(row); ++i, ++named) {
          int64_t& by = named_by[static_cast<size_t>(lists->row(row)[i])];
          if (by == row) return false;
          distinct += by < 0;
          by = row;
        }
      segment_.listed = std::max(segment_.listed, named - before);
    }
    first = end;
  }
  if (named * list_rows < kLeastSharing * distinct || named == 0) return false;
  const int64_t threads = o_.threads > 0 ? o_.threads : ThreadPool::instance().threads();
  const int64_t least = ceil_div(kLeastSharing * distinct * most_lists, named * list_rows);
  const int64_t wanted = o_.batch * o_.heads * lists_of_head / stacked() / (kSegmentsPerThread * threads);
  segment_queries_ = std::max(std::min(wanted, most_lists), least) * o_.block_queries;
  segment_.rows = stacked() * std::min(segment_queries_, o_.queries);
  return true;
}

// Whether key-value heads may go through a cache together: few rows each, and the lists are the same.
bool AttendPlan::prefers_walks() const {
  if (keys_first_ || o_.head_sets != HeadSets::kShared || o_.kv_heads < 2 || o_.kv_heads > kMostWalkHeads) return false;
  if (o_.heads / o_.kv_heads * o_.queries > kAttendFewRows || o_.block_queries < o_.queries || lists_.columns.total() > 0) return false;
  int64_t walks = 0;
  for (int64_t row = 0; row < o_.lists_batch; ++row) walks += ceil_div(lists_.length(row), kWalkKeys);
  return walks * (o_.batch / o_.lists_batch) >= kEnoughWalks;
}

// Pairs of query and key that the lists of a task name, for one of its heads; `within` leaves out keys that do not exist.
int64_t AttendPlan::pairs(const AttendTask& task, bool within) const {
  int64_t sum = 0;
  for (int64_t query = task.query, row = task.row; query < task.query + task.queries; ++row) {
    const int64_t end = std::min<int64_t>((query / o_.block_queries + 1) * o_.block_queries, task.query + task.queries);
    sum += (within ? lists_.length_within(row, o_.keys) : lists_.length(row)) * (end - query);
    query = end;
  }
  return sum;
}

void AttendPlan::schedule() {
  const int64_t blocks = ceil_div(o_.queries, o_.block_queries), group = o_.heads / o_.kv_heads, most_heads = stacked();
  const int64_t most_queries = keys_first_ ? segment_queries_ : std::min<int64_t>(o_.block_queries, kAttendRows);
  for (int64_t unit = 0; unit < o_.lists_batch * o_.kv_heads; ++unit) {
    unit_tasks_.push_back(static_cast<int64_t>(tasks_.size()));
    const int64_t b = unit / o_.kv_heads, kv_head = unit % o_.kv_heads;
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; head += most_heads) {
      const int64_t heads = std::min(most_heads, (kv_head + 1) * group - head);
      const int64_t set = o_.head_sets == HeadSets::kShared ? 0 : o_.head_sets == HeadSets::kKv ? kv_head : head;
      for (int64_t query = 0; query < o_.queries;) {
        const int64_t block = query / o_.block_queries, row = (b * sets() + set) * blocks + block;
        const int64_t last = keys_first_ ? o_.queries : (block + 1) * o_.block_queries;
        const int64_t end = std::min({o_.queries, last, query + most_queries});
        tasks_.push_back({row, static_cast<int32_t>(head), static_cast<int32_t>(heads), static_cast<int32_t>(query),
                          static_cast<int32_t>(end - query), 0, 1, 0});
        query = end;
      }
    }
    const auto cost = [&](const AttendTask& t) { return pairs(t, false) * t.heads; };
    std::stable_sort(tasks_.begin() + unit_tasks_.back(), tasks_.end(),
                     [&](const AttendTask& a, const AttendTask& b) { return cost(a) > cost(b); });
    for (auto task = tasks_.begin() + unit_tasks_.back(); task != tasks_.end(); ++task) listed_ += pairs(*task, true) * task->heads;
  }
  unit_tasks_.push_back(static_cast<int64_t>(tasks_.size()));
  unit_partials_.assign(unit_tasks_.size(), 0);
  if (walks_ || (!keys_first_ && static_cast<int64_t>(tasks_.size()) * (o_.batch / o_.lists_batch) < kEnoughTasks)) split();
}

void AttendPlan::split() {
  std::vector<AttendTask> whole;
  whole.swap(tasks_);
  for (size_t unit = 0; unit + 1 < unit_tasks_.size(); ++unit) {
    const int64_t begin = unit_tasks_[unit], end = unit_tasks_[unit + 1];
    unit_tasks_[unit] = static_cast<int64_t>(tasks_.size());
    int64_t partial = 0;
    for (int64_t i = begin; i < end; ++i) {
      AttendTask task = whole[static_cast<size_t>(i)];
      const int64_t keys = walks_ ? kWalkKeys : kPartKeys, most = walks_ ? kMostWalks : kMostParts;
      task.parts = static_cast<int32_t>(std::clamp<int64_t>(ceil_div(lists_.length(task.row), keys), 1, most));
      task.partial = partial;
      if (task.parts > 1) partial += int64_t{task.parts} * task.heads * task.queries;
      for (task.part = 0; task.part < task.parts; ++task.part) tasks_.push_back(task);
    }
    unit_partials_[unit + 1] = unit_partials_[unit] + partial;
  }
  unit_tasks_.back() = static_cast<int64_t>(tasks_.size());
}

}  // namespace sk

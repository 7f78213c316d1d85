#include "attend.h"

#include <algorithm>
#include <climits>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "block.h"

namespace sk {

#define SK_ATTEND_AVX512(row, element, dtype) extern const AttendKernel attend_##row##_avx512;
#define SK_ATTEND_AVX2(row, element, dtype) extern const AttendKernel attend_##row##_avx2;
#define SK_ATTEND_SCALAR(row, element, dtype) extern const AttendKernel attend_##row##_scalar;
#define SK_ATTEND_SCALAR16(row, element, dtype) extern const AttendKernel attend_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const AttendKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_ATTEND_AVX512(row, element, dtype) {&attend_##row##_avx512, Isa::kAvx512},
#define SK_ATTEND_AVX2(row, element, dtype) {&attend_##row##_avx2, Isa::kAvx2},
#define SK_ATTEND_SCALAR(row, element, dtype) {&attend_##row##_scalar, Isa::kScalar},
#define SK_ATTEND_SCALAR16(row, element, dtype) {&attend_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

// Plans of fewer tasks than this have the keys of each task cut into parts, so that all threads of a large machine find work.
constexpr int64_t kEnoughTasks = 64;
constexpr int64_t kPartKeys = 2048, kMostParts = 1024;

Status check_sizes(const AttendOptions& o) {
  const auto shape = [](const std::string& what) { return Status(Code::kShape, what); };
  if (o.head_dim < 8 || o.head_dim > kAttendMostHeadDim || o.head_dim % 8 != 0)
    return shape("expected headDim to be a multiple of 8 from 8 to 256 but received " + std::to_string(o.head_dim));
  if (o.kv_heads < 1 || o.heads < 1 || o.heads % o.kv_heads != 0)
    return shape("expected kvHeads to divide heads but received " + std::to_string(o.kv_heads) + " and " + std::to_string(o.heads));
  if (o.batch < 1 || o.queries < 1 || o.keys < 0 || o.block_queries < 1 || o.block_keys < 1)
    return shape("expected positive batch, queries and block sizes");
  int64_t q, k;
  if (o.queries > INT32_MAX || o.keys > INT32_MAX || o.heads > INT32_MAX ||
      !checked_multiply(o.batch * o.heads, o.queries * o.head_dim * 4, &q) ||
      !checked_multiply(o.batch * o.kv_heads, o.keys * o.head_dim * 4, &k))
    return shape("expected q, k and v to fit in memory");
  if (o.lists_batch != 1 && o.lists_batch != o.batch) return shape("expected lists for 1 or all batch entries");
  return Status();
}

}  // namespace

size_t AttendPlan::element_bytes() const { return o_.dtype == "float32" ? 4 : 2; }

Status AttendPlan::create(const AttendOptions& options, std::shared_ptr<const AttendPlan>* result) {
  if (const Status status = check_sizes(options); !status.ok()) return status;
  std::shared_ptr<AttendPlan> plan(new AttendPlan);
  const Row* chosen = nullptr;
  const auto fits = [&](const Row& row) { return options.dtype == row.kernel->dtype; };
  if (const Status status = choose_kernel(kRows, options.isa, fits, &chosen); !status.ok()) return status;
  plan->kernel_ = chosen->kernel;
  plan->o_ = options;
  plan->o_.tiles = plan->o_.full_tiles = plan->o_.columns = {};

  plan->o_.block_queries = std::min(options.block_queries, options.queries);
  plan->o_.block_keys = std::clamp<int64_t>(options.block_keys, 1, std::max<int64_t>(options.keys, 1));

  const AttendOptions& o = plan->o_;
  const int64_t sets = o.head_sets == HeadSets::kShared ? 1 : o.head_sets == HeadSets::kKv ? o.kv_heads : o.heads;
  const int64_t rows = o.lists_batch * sets * ceil_div(o.queries, o.block_queries);
  const int64_t tiles = o.token_ids ? o.keys : ceil_div(o.keys, o.block_keys);
  KeyLists& lists = plan->lists_;
  lists.tile_keys = o.block_keys;
  lists.id_keys = o.token_ids ? 1 : o.block_keys;
  if (const Status status = lists.tiles.copy(options.tiles, rows, tiles, "tiles"); !status.ok()) return status;
  if (const Status status = lists.full_tiles.copy(options.full_tiles, rows, tiles, "fullTiles"); !status.ok()) return status;
  if (const Status status = lists.columns.copy(options.columns, rows, o.keys, "columns"); !status.ok()) return status;
  if (o.validate)
    if (const Status status = lists.check_unique(rows, o.keys); !status.ok()) return status;
  plan->schedule();
  *result = std::move(plan);
  return Status();
}

void AttendPlan::schedule() {
  const int64_t blocks = ceil_div(o_.queries, o_.block_queries), group = o_.heads / o_.kv_heads;
  // Rows of a block: a part of a query block, times the query heads that share lists and keys.
  const int64_t block_rows = std::min<int64_t>(std::min(o_.block_queries, o_.queries), kAttendRows);
  const int64_t stacked = o_.head_sets == HeadSets::kQ ? 1 : std::min(group, kAttendRows / block_rows);
  for (int64_t unit = 0; unit < o_.lists_batch * o_.kv_heads; ++unit) {
    unit_tasks_.push_back(static_cast<int64_t>(tasks_.size()));
    const int64_t b = unit / o_.kv_heads, kv_head = unit % o_.kv_heads;
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; head += stacked) {
      const int64_t heads = std::min(stacked, (kv_head + 1) * group - head);
      const int64_t sets = o_.head_sets == HeadSets::kShared ? 1 : o_.head_sets == HeadSets::kKv ? o_.kv_heads : o_.heads;
      const int64_t set = o_.head_sets == HeadSets::kShared ? 0 : o_.head_sets == HeadSets::kKv ? kv_head : head;
      for (int64_t query = 0; query < o_.queries;) {
        const int64_t block = query / o_.block_queries, row = (b * sets + set) * blocks + block;
        const int64_t end = std::min({o_.queries, (block + 1) * o_.block_queries, query + block_rows});
        tasks_.push_back({row, static_cast<int32_t>(head), static_cast<int32_t>(heads), static_cast<int32_t>(query),
                          static_cast<int32_t>(end - query), 0, 1, 0});
        query = end;
      }
    }
    const auto cost = [&](const AttendTask& t) { return lists_.length(t.row) * t.heads * t.queries; };
    std::stable_sort(tasks_.begin() + unit_tasks_.back(), tasks_.end(),
                     [&](const AttendTask& a, const AttendTask& b) { return cost(a) > cost(b); });
    for (auto task = tasks_.begin() + unit_tasks_.back(); task != tasks_.end(); ++task) listed_ += cost(*task);
  }
  unit_tasks_.push_back(static_cast<int64_t>(tasks_.size()));
  unit_partials_.assign(unit_tasks_.size(), 0);
  if (static_cast<int64_t>(tasks_.size()) * (o_.batch / o_.lists_batch) < kEnoughTasks) split();
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
      task.parts = static_cast<int32_t>(std::clamp<int64_t>(ceil_div(lists_.length(task.row), kPartKeys), 1, kMostParts));
      task.partial = partial;
      if (task.parts > 1) partial += int64_t{task.parts} * task.heads * task.queries;
      for (task.part = 0; task.part < task.parts; ++task.part) tasks_.push_back(task);
    }
    unit_partials_[unit + 1] = unit_partials_[unit] + partial;
  }
  unit_tasks_.back() = static_cast<int64_t>(tasks_.size());
}

Status AttendPlan::run(const AttendOperands& in, const AttendResults& out, const std::atomic<bool>* cancel) const {
  const AttendRun run = {o_, *kernel_, lists_, in, out};
  const auto cancelled = [cancel] { return cancel != nullptr && cancel->load(std::memory_order_relaxed); };
  // Tasks and partial results of the units of this run, one unit behind the other.
  const int64_t list_units = o_.lists_batch * o_.kv_heads;
  std::vector<int64_t> tasks(1, 0), partials(1, 0);
  for (int64_t u = 0; u < in.units; ++u) {
    const size_t unit = static_cast<size_t>((in.first_unit + u) % list_units);
    tasks.push_back(tasks.back() + unit_tasks_[unit + 1] - unit_tasks_[unit]);
    partials.push_back(partials.back() + unit_partials_[unit + 1] - unit_partials_[unit]);
  }
  int slots = ThreadPool::instance().threads();
  if (o_.threads > 0) slots = std::min(slots, o_.threads);
  slots = static_cast<int>(std::min<int64_t>(slots, tasks.back()));
  const int64_t per_slot = round_up(attend_scratch(o_), 16), partial_floats = partials.back() * (o_.head_dim + 2);
  float* workspace = static_cast<float*>(thread_scratch(static_cast<size_t>(slots * per_slot + partial_floats) * sizeof(float)));
  if (workspace == nullptr) return Status(Code::kMemory, "no memory for the workspace of a run");
  float* partial_base = workspace + slots * per_slot;

  const auto each_task = [&](auto&& body) {
    parallel_for(tasks.back(), slots, [&](int64_t i, int slot) {
      if (cancelled()) return;
      const int64_t u = std::upper_bound(tasks.begin(), tasks.end(), i) - tasks.begin() - 1;
      const size_t unit = static_cast<size_t>((in.first_unit + u) % list_units);
      const AttendTask& task = tasks_[static_cast<size_t>(unit_tasks_[unit] + i - tasks[static_cast<size_t>(u)])];
      const int64_t all = partials.back(), rows = int64_t{task.heads} * task.queries;
      const int64_t first = partials[static_cast<size_t>(u)] + task.partial + task.part * rows;
      const AttendPartial partial = {partial_base + first * o_.head_dim, partial_base + all * o_.head_dim + first,
                                     partial_base + all * (o_.head_dim + 1) + first};
      body(task, (in.first_unit + u) / o_.kv_heads, workspace + slot * per_slot, partial);
    });
  };
  each_task([&](const AttendTask& task, int64_t b, float* scratch, const AttendPartial& partial) {
    attend_task(run, task, b, scratch, partial);
  });
  if (partials.back() > 0)
    each_task([&](const AttendTask& task, int64_t b, float*, const AttendPartial& partial) {
      if (task.parts > 1 && task.part == 0) attend_join(run, task, b, partial);
    });
  return cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

std::vector<KernelRow> attend_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows)
    rows.push_back({row.kernel->name, "attend", row.kernel->dtype, "any", isa_name(row.isa), row.kernel->lanes, isa_supported(row.isa)});
  return rows;
}

}  // namespace sk

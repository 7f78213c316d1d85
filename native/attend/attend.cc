#include "attend.h"

#include <algorithm>
#include <climits>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "block.h"
#include "segment.h"
#include "walk.h"

namespace sk {

#define SK_ATTEND_AVX512(row, loops, element, dtype) extern const AttendKernel attend_##row##_avx512;
#define SK_ATTEND_AVX2(row, loops, element, dtype) extern const AttendKernel attend_##row##_avx2;
#define SK_ATTEND_SCALAR(row, loops, element, dtype) extern const AttendKernel attend_##row##_scalar;
#define SK_ATTEND_SCALAR16(row, loops, element, dtype) extern const AttendKernel attend_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const AttendKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_ATTEND_AVX512(row, loops, element, dtype) {&attend_##row##_avx512, Isa::kAvx512},
#define SK_ATTEND_AVX2(row, loops, element, dtype) {&attend_##row##_avx2, Isa::kAvx2},
#define SK_ATTEND_SCALAR(row, loops, element, dtype) {&attend_##row##_scalar, Isa::kScalar},
#define SK_ATTEND_SCALAR16(row, loops, element, dtype) {&attend_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

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
  plan->o_ = options;
  plan->o_.tiles = plan->o_.full_tiles = plan->o_.columns = {};

  plan->o_.block_queries = std::min(options.block_queries, options.queries);
  plan->o_.block_keys = std::clamp<int64_t>(options.block_keys, 1, std::max<int64_t>(options.keys, 1));

  const AttendOptions& o = plan->o_;
  const int64_t rows = o.lists_batch * plan->sets() * ceil_div(o.queries, o.block_queries);
  KeyLists& lists = plan->lists_;
  lists.tile_keys = o.block_keys;
  lists.id_keys = o.token_ids ? 1 : o.block_keys;
  lists.ids = o.token_ids ? o.keys : ceil_div(o.keys, o.block_keys);
  if (const Status status = lists.tiles.copy(options.tiles, rows, lists.ids, "tiles"); !status.ok()) return status;
  if (const Status status = lists.full_tiles.copy(options.full_tiles, rows, lists.ids, "fullTiles"); !status.ok()) return status;
  if (const Status status = lists.columns.copy(options.columns, rows, o.keys, "columns"); !status.ok()) return status;
  if (o.validate)
    if (const Status status = lists.check_unique(rows, o.keys); !status.ok()) return status;
  plan->keys_first_ = plan->prefers_keys();
  const Row* chosen = nullptr;
  const auto fits = [&](const Row& row) {
    return options.dtype == row.kernel->dtype && (row.kernel->fold != nullptr) == plan->keys_first_;
  };
  if (const Status status = choose_kernel(kRows, options.isa, fits, &chosen); !status.ok()) return status;
  plan->kernel_ = chosen->kernel;
  plan->walks_ = plan->prefers_walks();
  plan->schedule();
  *result = std::move(plan);
  return Status();
}

Status AttendPlan::run(const AttendOperands& in, const AttendResults& out, const std::atomic<bool>* cancel) const {
  const AttendRun run = {o_, *kernel_, lists_, in, out, cancel};
  // Tasks and partial results of the units of this run, one unit behind the other.
  const int64_t list_units = o_.lists_batch * o_.kv_heads;
  std::vector<int64_t> tasks(1, 0), partials(1, 0);
  for (int64_t u = 0; u < in.units; ++u) {
    const size_t unit = static_cast<size_t>((in.first_unit + u) % list_units);
    tasks.push_back(tasks.back() + unit_tasks_[unit + 1] - unit_tasks_[unit]);
    partials.push_back(partials.back() + unit_partials_[unit + 1] - unit_partials_[unit]);
  }
  const bool walks = walks_ && can_walk(o_, in);
  int slots = ThreadPool::instance().threads();
  if (o_.threads > 0) slots = std::min(slots, o_.threads);
  slots = static_cast<int>(std::min<int64_t>(slots, walks ? tasks.back() / o_.kv_heads : tasks.back()));
  const int64_t scratch_floats = keys_first_ ? segment_scratch(o_, segment_, lists_.ids) : walks ? walk_scratch(o_) : attend_scratch(o_);
  const int64_t per_slot = round_up(scratch_floats, 16);
  const int64_t partial_floats = partials.back() * (o_.head_dim + 2);
  float* workspace = static_cast<float*>(thread_scratch(static_cast<size_t>(slots * per_slot + partial_floats) * sizeof(float)));
  if (workspace == nullptr) return Status(Code::kMemory, "no memory for the workspace of a run");
  float* partial_base = workspace + slots * per_slot;

  // Task i of unit first_unit + u, and where its partial results go.
  const auto task_of = [&](int64_t u, int64_t i) {
    return &tasks_[static_cast<size_t>(unit_tasks_[(in.first_unit + u) % list_units] + i)];
  };
  const auto partial_of = [&](int64_t u, const AttendTask& task) {
    const int64_t all = partials.back(), first = partials[u] + task.partial + task.part * int64_t{task.heads} * task.queries;
    return AttendPartial{partial_base + first * o_.head_dim, partial_base + all * o_.head_dim + first,
                         partial_base + all * (o_.head_dim + 1) + first};
  };
  const auto each_task = [&](auto&& body) {
    parallel_for(tasks.back(), slots, [&](int64_t i, int slot) {
      if (run.cancelled()) return;
      const int64_t u = std::upper_bound(tasks.begin(), tasks.end(), i) - tasks.begin() - 1;
      const AttendTask& task = *task_of(u, i - tasks[u]);
      body(task, (in.first_unit + u) / o_.kv_heads, workspace + slot * per_slot, partial_of(u, task));
    });
  };
  if (walks) {
    parallel_for(tasks.back() / o_.kv_heads, slots, [&](int64_t i, int slot) {
      if (run.cancelled()) return;
      int64_t u = std::upper_bound(tasks.begin(), tasks.end(), i * o_.kv_heads) - tasks.begin() - 1;
      u -= u % o_.kv_heads;
      AttendWalk walk;
      for (int64_t h = 0; h < o_.kv_heads; ++h) {
        walk.tasks[h] = task_of(u + h, i - tasks[u] / o_.kv_heads);
        walk.partials[h] = partial_of(u + h, *walk.tasks[h]);
      }
      attend_walk(run, walk, (in.first_unit + u) / o_.kv_heads, workspace + slot * per_slot);
    });
  } else {
    each_task([&](const AttendTask& task, int64_t b, float* scratch, const AttendPartial& partial) {
      keys_first_ ? attend_segment(run, task, b, segment_, scratch) : attend_task(run, task, b, scratch, partial);
    });
  }
  if (partials.back() > 0)
    each_task([&](const AttendTask& task, int64_t b, float*, const AttendPartial& partial) {
      if (task.parts > 1 && task.part == 0) attend_join(run, task, b, partial);
    });
  return run.cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

std::vector<KernelRow> attend_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows)
    rows.push_back({row.kernel->name, "attend", row.kernel->dtype, row.kernel->fold != nullptr ? "keys" : "any", isa_name(row.isa),
                    row.kernel->lanes, isa_supported(row.isa)});
  return rows;
}

}  // namespace sk

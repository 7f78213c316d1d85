#include "plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "../../core/memory.h"

namespace sk {

#ifdef SK_CUDA
#define SK_ATTEND_CUDA(row, element, dtype) extern const AttendCudaKernel attend_##row##_cuda;
#include "../kernels.def"
#define SK_ATTEND_KERNEL(row) &attend_##row##_cuda
#else
#define SK_ATTEND_KERNEL(row) nullptr
#endif

namespace {

struct Row {
  const char *name, *dtype;
  const AttendCudaKernel* kernel;  // null: built without CUDA
};

const Row kRows[] = {
#define SK_ATTEND_CUDA(row, element, dtype) {"attend_" #row "_cuda", dtype, SK_ATTEND_KERNEL(row)},
#include "../kernels.def"
};

constexpr int64_t kLeastPartKeys = 256;  // below, a part costs more than it gains

int64_t sets_of(const AttendOptions& o) {
  return o.head_sets == HeadSets::kShared ? 1 : o.head_sets == HeadSets::kKv ? o.kv_heads : o.heads;
}

// Keys of the tiles of a capacity, whether or not they exist.
Status check_capacity(int64_t capacity, int64_t tile_keys, const char* name) {
  if (capacity * tile_keys < int64_t{1} << 30 && capacity < int64_t{1} << 30) return Status();
  return Status(Code::kShape,
                std::string("expected a capacity of ") + name + " for fewer than 2^30 keys a row but received " + std::to_string(capacity));
}

AttendCudaLists lists_of(const AttendCudaLists& planned, int64_t capacity, const AttendCudaRows& rows) {
  if (capacity < 0) return planned;
  return {nullptr, rows.index->as<int32_t>(), rows.count->as<int32_t>(), static_cast<int32_t>(capacity)};
}

// A host array that a run needs on the device.
template <class T>
Status send(const std::shared_ptr<const CudaDevice>& device, const T* host, int64_t count, CudaBuffer* buffer, const T** there) {
  *there = nullptr;
  if (host == nullptr || count == 0) return Status();
  const auto bytes = static_cast<size_t>(count) * sizeof(T);
  Status status = buffer->reserve(device, bytes);
  if (status.ok()) status = buffer->upload(host, bytes);
  *there = buffer->as<T>();
  return status;
}

}  // namespace

Status AttendCudaPlan::create(std::shared_ptr<const CudaDevice> device, const AttendOptions& options, const AttendCudaCapacity& capacity,
                              std::shared_ptr<const AttendCudaPlan>* result) {
  const auto row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.kernel != nullptr && options.dtype == r.dtype; });
  if (row == std::end(kRows))
    return Status(Code::kIsa, "expected dtype 'float16' or 'bfloat16' on device 'cuda' but received " + options.dtype);
  if (options.keys > (int64_t{1} << 30) - 1) return Status(Code::kShape, "expected fewer than 2^30 keys on device 'cuda'");
  if (const int64_t needed = row->kernel->shared_bytes(options.head_dim); needed > device->shared_bytes())
    return Status(Code::kDevice, "expected a device with " + std::to_string(needed) + " bytes of shared memory a block for headDim " +
                                     std::to_string(options.head_dim) + " but " + device->name() + " has " +
                                     std::to_string(device->shared_bytes()));
  AttendOptions on_host = options;  // checks sizes and lists
  on_host.isa.clear();
  on_host.threads = 0;
  std::shared_ptr<AttendCudaPlan> plan(new AttendCudaPlan);
  plan->device_ = std::move(device);
  plan->kernel_ = row->kernel;
  plan->capacity_ = capacity;
  Status status = AttendPlan::create(on_host, &plan->lists_);
  const auto tile_keys = [&] { return plan->lists_->lists().tile_keys; };
  if (status.ok()) status = check_capacity(capacity.tiles, tile_keys(), "tiles");
  if (status.ok()) status = check_capacity(capacity.full_tiles, tile_keys(), "fullTiles");
  if (status.ok()) status = check_capacity(capacity.columns, 1, "columns");
  if (status.ok()) status = plan->upload_lists();
  if (status.ok()) status = plan->upload_tasks();
  if (status.ok()) status = plan->device_->synchronize();
  if (status.ok()) *result = std::move(plan);
  return status;
}

int64_t AttendCudaPlan::list_rows() const {
  const AttendOptions& o = options();
  return o.lists_batch * sets_of(o) * ceil_div(o.queries, o.block_queries);
}

// Of what runs bring only the capacity is known, so that nothing waits for the device to say more.
int64_t AttendCudaPlan::length(int64_t row) const {
  const auto most = [](int64_t capacity) { return std::max<int64_t>(capacity, 0); };
  return lists_->lists().length(row) + (most(capacity_.tiles) + most(capacity_.full_tiles)) * lists_->lists().tile_keys +
         most(capacity_.columns);
}

// The three lists one behind the other: starts of all rows, then all indices.
Status AttendCudaPlan::upload_lists() {
  const KeyLists& lists = lists_->lists();
  const Lists* const all[] = {&lists.tiles, &lists.full_tiles, &lists.columns};
  AttendCudaLists* const on_device[] = {&tiles_, &full_tiles_, &columns_};
  const int64_t rows = list_rows();
  std::vector<int64_t> starts;
  std::vector<int32_t> indices;
  for (const Lists* list : all) {
    starts.push_back(static_cast<int64_t>(indices.size()));
    for (int64_t r = 0; r < rows; ++r) {
      if (const int64_t count = list->count(r)) indices.insert(indices.end(), list->row(r), list->row(r) + count);
      starts.push_back(static_cast<int64_t>(indices.size()));
    }
  }
  indices.push_back(0);  // so that there is one
  Status status = starts_.reserve(device_, starts.size() * sizeof(int64_t));
  if (status.ok()) status = indices_.reserve(device_, indices.size() * sizeof(int32_t));
  if (status.ok()) status = starts_.upload(starts.data(), starts.size() * sizeof(int64_t));
  if (status.ok()) status = indices_.upload(indices.data(), indices.size() * sizeof(int32_t));
  if (status.ok()) status = device_->synchronize();
  for (int i = 0; i < 3; ++i) *on_device[i] = {starts_.as<int64_t>() + i * (rows + 1), indices_.as<int32_t>(), nullptr, 0};
  return status;
}

// Blocks of rows from long to short; long lists of few blocks in parts, so that every multiprocessor has two tasks.
Status AttendCudaPlan::upload_tasks() {
  const AttendOptions& o = options();
  const int64_t blocks = ceil_div(o.queries, o.block_queries), sets = sets_of(o), group = o.heads / o.kv_heads;
  const int64_t block_rows = std::min<int64_t>(o.block_queries, kCudaRows);
  const int64_t stacked = o.head_sets == HeadSets::kQ ? 1 : std::min(group, kCudaRows / block_rows);
  std::vector<AttendCudaTask> whole;
  for (int64_t b = 0; b < o.batch; ++b)
    for (int64_t kv_head = 0; kv_head < o.kv_heads; ++kv_head)
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; head += stacked) {
        const int64_t heads = std::min(stacked, (kv_head + 1) * group - head);
        const int64_t set = o.head_sets == HeadSets::kShared ? 0 : o.head_sets == HeadSets::kKv ? kv_head : head;
        for (int64_t query = 0; query < o.queries;) {
          const int64_t block = query / o.block_queries, end = std::min({o.queries, (block + 1) * o.block_queries, query + block_rows});
          const int64_t list = ((o.lists_batch == 1 ? 0 : b) * sets + set) * blocks + block;
          whole.push_back({list, static_cast<int32_t>(b), static_cast<int32_t>(head), static_cast<int32_t>(heads),
                           static_cast<int32_t>(query), static_cast<int32_t>(end - query), 0, 1, 0});
          query = end;
        }
      }
  std::stable_sort(whole.begin(), whole.end(),
                   [&](const AttendCudaTask& a, const AttendCudaTask& b) { return length(a.list) > length(b.list); });
  const int64_t wanted = ceil_div(2 * device_->multiprocessors(), static_cast<int64_t>(whole.size()));
  std::vector<AttendCudaTask> tasks;
  for (AttendCudaTask task : whole) {
    task.parts = static_cast<int32_t>(std::clamp<int64_t>(length(task.list) / kLeastPartKeys, 1, wanted));
    task.partial = partials_;
    if (task.parts > 1) partials_ += int64_t{task.parts} * task.heads * task.queries;
    const int64_t first = task.partial, rows = int64_t{task.heads} * task.queries;
    for (task.part = 0; task.part < task.parts; ++task.part) {
      task.partial = first + task.part * rows;
      tasks.push_back(task);
    }
  }
  task_count_ = static_cast<int64_t>(tasks.size());
  Status status = tasks_.reserve(device_, tasks.size() * sizeof(AttendCudaTask));
  if (status.ok()) status = tasks_.upload(tasks.data(), tasks.size() * sizeof(AttendCudaTask));
  return status.ok() ? device_->synchronize() : status;
}

Status AttendCudaPlan::run(const AttendCudaOperands& operands, const AttendCudaExtras& extras) const {
  const AttendOptions& o = options();
  const auto floats = [](const CudaBuffer* buffer) { return buffer ? buffer->as<float>() : nullptr; };
  AttendCudaRun run = {};
  run.tasks = tasks_.as<AttendCudaTask>(), run.task_count = task_count_;
  run.tiles = lists_of(tiles_, capacity_.tiles, operands.tiles);
  run.full_tiles = lists_of(full_tiles_, capacity_.full_tiles, operands.full_tiles);
  run.columns = lists_of(columns_, capacity_.columns, operands.columns);
  run.tile_keys = static_cast<int32_t>(lists_->lists().tile_keys), run.id_keys = static_cast<int32_t>(lists_->lists().id_keys);
  run.heads = static_cast<int32_t>(o.heads), run.kv_heads = static_cast<int32_t>(o.kv_heads);
  run.queries = static_cast<int32_t>(o.queries), run.keys = static_cast<int32_t>(o.keys);
  run.head_dim = static_cast<int32_t>(o.head_dim);
  run.q_batch = o.heads * o.queries * o.head_dim, run.k_batch = o.kv_heads * o.keys * o.head_dim;
  run.q_head = (o.tokens_outside ? 1 : o.queries) * o.head_dim, run.q_token = (o.tokens_outside ? o.heads : 1) * o.head_dim;
  run.k_head = (o.tokens_outside ? 1 : o.keys) * o.head_dim, run.k_token = (o.tokens_outside ? o.kv_heads : 1) * o.head_dim;
  run.q = operands.q->as<void>(), run.k = operands.k->as<void>(), run.v = operands.v->as<void>();
  if (operands.page_table) {
    run.page_table = operands.page_table->as<int32_t>();
    run.pages = static_cast<int32_t>(operands.pages), run.page_tokens = static_cast<int32_t>(operands.page_tokens);
    run.pages_batch = static_cast<int32_t>(ceil_div(o.keys, operands.page_tokens));
    run.page_rows = static_cast<int32_t>((o.tokens_outside ? 1 : o.kv_heads) * operands.page_tokens);
    run.k_batch = 0;
    if (!o.tokens_outside) run.k_head = operands.page_tokens * o.head_dim;
  }
  run.initial_output = floats(operands.initial_output), run.initial_lse = floats(operands.initial_lse);
  run.causal = o.causal;
  run.window = static_cast<int32_t>(o.window), run.sink_tokens = static_cast<int32_t>(o.sink_tokens);
  run.scale = o.scale, run.softcap = o.softcap;
  run.query_positions_batch = static_cast<int32_t>(extras.query_positions_length > o.queries ? o.queries : 0);
  run.key_positions_batch = static_cast<int32_t>(extras.key_positions_length > o.keys ? o.keys : 0);
  run.key_bias_rows = static_cast<int32_t>(extras.key_bias_rows);
  run.log_weight = extras.log_weight;
  run.output = floats(operands.output), run.lse = floats(operands.lse), run.row_max = floats(operands.row_max);

  CudaBuffer positions[2], lengths, bias, sink, workspace;
  Status status = send(device_, extras.query_positions, extras.query_positions_length, &positions[0], &run.query_positions);
  if (status.ok()) status = send(device_, extras.key_positions, extras.key_positions_length, &positions[1], &run.key_positions);
  if (status.ok()) status = send(device_, extras.key_lengths, o.batch, &lengths, &run.key_lengths);
  if (status.ok()) status = send(device_, extras.key_bias, extras.key_bias_rows * o.keys, &bias, &run.key_bias);
  if (status.ok()) status = send(device_, extras.sink, o.heads, &sink, &run.sink);
  if (status.ok() && partials_ > 0) status = workspace.reserve(device_, static_cast<size_t>(partials_ * (o.head_dim + 2)) * sizeof(float));
  if (!status.ok()) return status;
  run.part_output = workspace.as<float>();
  run.part_max = run.part_output + partials_ * o.head_dim;
  run.part_sum = run.part_max + partials_;
  status = cuda_status(kernel_->attend(run, device_->stream()), kernel_->name);
  if (status.ok() && partials_ > 0) status = cuda_status(kernel_->merge(run, device_->stream()), "merging the parts of long lists");
  return status;
}

std::vector<KernelRow> attend_cuda_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows)
    rows.push_back({row.name, "attend", row.dtype, "any", "cuda", 32, row.kernel != nullptr && cuda_available()});
  return rows;
}

}  // namespace sk

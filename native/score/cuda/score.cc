#include "score.h"

#include <algorithm>

#include "../../core/memory.h"

namespace sk {

#ifdef SK_CUDA
#define SK_SCORE_CUDA(row, type, dtype) extern const ScoreCudaKernel score_##row##_cuda;
#include "../kernels.def"
#define SK_SCORE_KERNEL(row) &score_##row##_cuda
#else
#define SK_SCORE_KERNEL(row) nullptr
#endif

namespace {

struct Row {
  const char *name, *dtype;
  DType type;
  const ScoreCudaKernel* kernel;  // null: built without CUDA
};

const Row kRows[] = {
#define SK_SCORE_CUDA(row, type, dtype) {"score_" #row "_cuda", dtype, DType::type, SK_SCORE_KERNEL(row)},
#include "../kernels.def"
};

ScoreCudaOperand operand(const CudaBuffer* x, DType type, bool tokens_outside, int64_t heads, int64_t tokens, int64_t dim) {
  return {x->as<void>(),
          type,
          static_cast<int64_t>(size_of(type)),
          heads * tokens * dim,
          (tokens_outside ? 1 : tokens) * dim,
          (tokens_outside ? heads : 1) * dim};
}

const void* moved(const ScoreCudaOperand& x, int64_t elements) { return static_cast<const char*>(x.data) + elements * x.element_bytes; }

// Softmax of the last queries, summed over columns and diagonals: some key-value heads at a time, so that their maps need little memory.
Status lines(const std::shared_ptr<const CudaDevice>& device, const ScoreCudaKernel& kernel, const ScoreCudaOptions& o, ScoreCudaRun all) {
  constexpr int64_t kMapFloats = int64_t{1} << 26;
  const int64_t head_floats = all.group * o.last_queries * o.keys;
  const int64_t together = std::clamp<int64_t>(kMapFloats / std::max<int64_t>(head_floats, 1), 1, o.kv_heads);
  CudaBuffer map;
  Status status = map.reserve(device, static_cast<size_t>(together * head_floats) * sizeof(float));
  all.queries = static_cast<int32_t>(o.last_queries), all.causal = true, all.batches = 1;
  for (int64_t b = 0; b < o.batch; ++b)
    for (int64_t first = 0; first < o.kv_heads; first += together) {
      ScoreCudaRun run = all;
      run.kv_heads = static_cast<int32_t>(std::min(together, o.kv_heads - first)), run.heads = run.kv_heads * run.group;
      run.q.data = moved(run.q, b * run.q.batch + first * run.group * run.q.head + (o.queries - o.last_queries) * run.q.token);
      run.k.data = moved(run.k, b * run.k.batch + first * run.k.head);
      run.out = map.as<float>(), run.sequences = run.heads;
      const int64_t at = (b * o.heads + first * run.group) * o.keys;
      run.vertical = o.out->as<float>() + at, run.slash = o.slash->as<float>() + at;
      if (status.ok()) status = cuda_status(kernel.dot(run, device->stream()), kernel.name);
      if (status.ok()) status = cuda_status(kernel.softmax(run, device->stream()), kernel.name);
      if (status.ok()) status = cuda_status(kernel.lines(run, device->stream()), kernel.name);
    }
  return status;
}

Status softmax(const std::shared_ptr<const CudaDevice>& device, const ScoreCudaKernel& kernel, ScoreCudaRun run) {
  const int32_t members = run.members;
  const float* scores = run.out;
  float* const out = run.out;
  CudaBuffer workspace;
  Status status;
  run.sequences = run.batches * run.heads;
  if (members > 1) {
    status = workspace.reserve(device, static_cast<size_t>(run.sequences * run.queries * run.keys) * sizeof(float));
    run.out = workspace.as<float>(), scores = run.out, run.members = 1;
  }
  if (status.ok()) status = cuda_status(kernel.dot(run, device->stream()), kernel.name);
  if (status.ok()) status = cuda_status(kernel.softmax(run, device->stream()), kernel.name);
  run.out = out;
  if (status.ok() && members > 1) status = cuda_status(kernel.reduce(run, scores, device->stream()), kernel.name);
  return status;
}

// What one launch can number.
Status check_grid(const ScoreCudaOptions& o) {
  const int64_t blocks = ceil_div(o.queries, std::max<int64_t>(o.block_q, 1));
  const bool ok = std::max({o.queries, o.keys, o.heads, o.dim, o.block_q, o.block_k}) < int64_t{1} << 30 && o.batch * o.heads < 65536 &&
                  (o.kind == ScoreCudaKind::kMax || o.kind == ScoreCudaKind::kMass ? blocks < 65536 : o.queries * o.heads < 65536 * 32) &&
                  o.batch * o.heads * o.queries < int64_t{1} << 31 && o.batch * o.heads * o.keys < int64_t{1} << 38;
  return ok ? Status() : Status(Code::kShape, "expected fewer heads, queries and keys on device 'cuda'");
}

}  // namespace

Status score_on_cuda(const std::shared_ptr<const CudaDevice>& device, const ScoreCudaOptions& o) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.kernel && r.type == o.k_type; });
  if (row == std::end(kRows)) return Status(Code::kIsa, "expected float32, float16 or bfloat16 on device 'cuda'");
  if (o.batch * o.heads * o.queries * o.keys == 0) return Status();
  if (Status status = check_grid(o); !status.ok()) return status;
  const bool bounds = o.kind == ScoreCudaKind::kBounds;
  ScoreCudaRun run = {};
  run.q = operand(o.q, o.q_type, o.tokens_outside, o.heads, o.queries, o.dim);
  run.k = operand(o.k, o.k_type, o.tokens_outside && !bounds, o.kv_heads, o.keys, bounds ? 2 * o.dim : o.dim);
  run.batches = o.batch, run.heads = static_cast<int32_t>(o.heads), run.kv_heads = static_cast<int32_t>(o.kv_heads);
  run.group = static_cast<int32_t>(o.heads / o.kv_heads), run.queries = static_cast<int32_t>(o.queries);
  run.keys = static_cast<int32_t>(o.keys), run.dim = static_cast<int32_t>(o.dim);
  run.scale = o.scale;
  run.limit = o.limit ? o.limit->as<int32_t>() : nullptr, run.causal = o.causal;
  run.members = o.group == GroupReduce::kNone ? 1 : run.group, run.greatest = o.group == GroupReduce::kMax;
  run.out = o.out->as<float>();
  run.block_q = static_cast<int32_t>(o.block_q), run.block_k = static_cast<int32_t>(o.block_k);
  run.lse = o.lse ? o.lse->as<float>() : nullptr;
  const ScoreCudaKernel& kernel = *row->kernel;
  switch (o.kind) {
    case ScoreCudaKind::kDot: return cuda_status(kernel.dot(run, device->stream()), kernel.name);
    case ScoreCudaKind::kBounds: return cuda_status(kernel.bounds(run, device->stream()), kernel.name);
    case ScoreCudaKind::kMax: return cuda_status(kernel.most(run, device->stream()), kernel.name);
    case ScoreCudaKind::kMass: return cuda_status(kernel.mass(run, device->stream()), kernel.name);
    case ScoreCudaKind::kSoftmax: return softmax(device, kernel, run);
    case ScoreCudaKind::kLines: return lines(device, kernel, o, run);
  }
  return Status();
}

std::vector<KernelRow> score_cuda_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows) rows.push_back({row.name, "score", row.dtype, "any", "cuda", 32, row.kernel != nullptr && cuda_available()});
  return rows;
}

}  // namespace sk

#include "pool.h"

#include <algorithm>

namespace sk {

#ifdef SK_CUDA
#define SK_POOL_CUDA(row, type, dtype) extern const PoolCudaKernel pool_##row##_cuda;
#include "../kernels.def"
#define SK_POOL_KERNEL(row) &pool_##row##_cuda
#else
#define SK_POOL_KERNEL(row) nullptr
#endif

namespace {

struct Row {
  const char *name, *dtype;
  DType type;
  const PoolCudaKernel* kernel;  // null: built without CUDA
};

const Row kRows[] = {
#define SK_POOL_CUDA(row, type, dtype) {"pool_" #row "_cuda", dtype, DType::type, SK_POOL_KERNEL(row)},
#include "../kernels.def"
};

}  // namespace

Status pool_on_cuda(const CudaDevice& device, const PoolCudaOptions& o) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.kernel && r.type == o.type; });
  if (row == std::end(kRows)) return Status(Code::kIsa, "expected float32, float16 or bfloat16 on device 'cuda'");
  PoolCudaRun run = {};
  run.x = o.x->as<void>(), run.type = o.type, run.element_bytes = static_cast<int64_t>(size_of(o.type));
  run.sequences = o.batch * o.heads, run.heads = o.heads, run.tokens = o.tokens, run.dim = o.dim;
  run.batch_stride = o.heads * o.tokens * o.dim;
  run.head_stride = (o.tokens_outside ? 1 : o.tokens) * o.dim, run.token_stride = (o.tokens_outside ? o.heads : 1) * o.dim;
  run.windows = o.windows, run.block = o.block, run.stride = o.stride;
  run.offsets = o.offsets ? o.offsets->as<int32_t>() : nullptr;
  run.logit = o.logit ? o.logit->as<float>() : nullptr;
  run.out = o.out->as<float>(), run.width = pool_width(o.kind, o.dim);
  run.mean = o.kind == PoolKind::kMean;
  run.least = o.kind == PoolKind::kMin || o.kind == PoolKind::kMinMax;
  run.greatest = o.kind == PoolKind::kMax || o.kind == PoolKind::kMinMax;
  if (run.sequences * run.windows * run.width == 0) return Status();
  if (run.sequences * run.windows * std::max<int64_t>(32, run.dim) >= int64_t{1} << 38)
    return Status(Code::kShape, "expected fewer windows on device 'cuda'");
  const PoolCudaKernel& kernel = *row->kernel;
  const auto launch = run.least || run.greatest ? kernel.extremes : o.kind == PoolKind::kSimilarity ? kernel.similarity : kernel.sums;
  return cuda_status(launch(run, device.stream()), kernel.name);
}

std::vector<KernelRow> pool_cuda_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows) rows.push_back({row.name, "pool", row.dtype, "any", "cuda", 32, row.kernel != nullptr && cuda_available()});
  return rows;
}

}  // namespace sk

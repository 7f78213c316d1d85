#include "select.h"

#include <algorithm>
#include <limits>
#include <string>

namespace sk {

#ifdef SK_CUDA
#define SK_SELECT_CUDA(row, type, dtype) extern const SelectCudaKernel select_##row##_cuda;
#include "../kernels.def"
#define SK_SELECT_KERNEL(row) &select_##row##_cuda
#else
#define SK_SELECT_KERNEL(row) nullptr
#endif

namespace {

struct Row {
  const char *name, *dtype;
  const SelectCudaKernel* kernel;  // null: built without CUDA
};

const Row kRows[] = {
#define SK_SELECT_CUDA(row, type, dtype) {"select_" #row "_cuda", dtype, SK_SELECT_KERNEL(row)},
#include "../kernels.def"
};

}  // namespace

Status top_k_on_cuda(const CudaDevice& device, const TopKCudaRun& run) {
  if (run.rows > std::numeric_limits<int32_t>::max() || run.columns > std::numeric_limits<int32_t>::max() - kTopKThreads)
    return Status(Code::kShape, "expected less than 2^31 rows and columns on device 'cuda'");
  if (run.rows == 0) return Status();
  return cuda_status(kRows[0].kernel->top_k(run, device.stream()), kRows[0].name);
}

Status mask_groups_on_cuda(const CudaDevice& device, const GroupsCudaRun& run) {
  constexpr int kSizes[] = {2, 4, 8, 16, 32};
  if (std::find(std::begin(kSizes), std::end(kSizes), run.m) == std::end(kSizes) || run.n < 1 || run.n >= run.m)
    return Status(Code::kPattern, "expected a pattern N:M with M of 2, 4, 8, 16 or 32 and 1 <= N < M but received " +
                                      std::to_string(run.n) + ":" + std::to_string(run.m));
  if (run.rows == 0 || run.columns == 0) return Status();
  if (run.rows * ((run.columns + 31) / 32) >= int64_t{1} << 33) return Status(Code::kShape, "expected fewer weights on device 'cuda'");
  return cuda_status(kRows[0].kernel->groups(run, device.stream()), kRows[0].name);
}

std::vector<KernelRow> select_cuda_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows)
    rows.push_back({row.name, "select", row.dtype, "any", "cuda", 32, row.kernel != nullptr && cuda_available()});
  return rows;
}

}  // namespace sk

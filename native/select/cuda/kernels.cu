// The CUDA kernels of select: rows of kernels.def, and how each is launched.
#include <cuda_runtime.h>

#include "groups.h"
#include "top_k.h"

namespace sk {
namespace {

int top_k(const TopKCudaRun& run, void* stream) {
  top_k_lists<<<static_cast<unsigned>(run.rows), kTopKThreads, 0, static_cast<cudaStream_t>(stream)>>>(run);
  return cudaGetLastError();
}

int groups(const GroupsCudaRun& run, void* stream) {
  constexpr int kThreads = 256;
  const int64_t warps = run.rows * ((run.columns + 31) / 32), blocks = (warps * 32 + kThreads - 1) / kThreads;
  mask_groups<<<static_cast<unsigned>(blocks), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(run);
  return cudaGetLastError();
}

}  // namespace

#define SK_SELECT_CUDA(row, type, dtype) extern const SelectCudaKernel select_##row##_cuda = {"select_" #row "_cuda", top_k, groups};
#include "../kernels.def"

}  // namespace sk

// The CUDA kernels of pool: rows of kernels.def, and how each is launched. One kernel serves all element types, by a branch that never
// diverges.
#include <cuda_runtime.h>

#include "windows.h"

namespace sk {
namespace {

constexpr int kThreads = 256;

template <void (*kKernel)(PoolCudaRun)>
int launch(const PoolCudaRun& run, int64_t threads, void* stream) {
  kKernel<<<static_cast<unsigned>((threads + kThreads - 1) / kThreads), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(run);
  return cudaGetLastError();
}

int64_t eights(const PoolCudaRun& run) { return run.sequences * run.windows * ((run.dim + 7) / 8); }
int sums(const PoolCudaRun& run, void* stream) { return launch<pool_sums>(run, eights(run), stream); }
int extremes(const PoolCudaRun& run, void* stream) { return launch<pool_extremes>(run, eights(run), stream); }
int similarity(const PoolCudaRun& run, void* stream) { return launch<pool_similarity>(run, run.sequences * run.windows * 32, stream); }

}  // namespace

#define SK_POOL_CUDA(row, type, dtype) extern const PoolCudaKernel pool_##row##_cuda = {"pool_" #row "_cuda", sums, extremes, similarity};
#include "../kernels.def"

}  // namespace sk

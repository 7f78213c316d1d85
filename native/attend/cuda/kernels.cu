// The CUDA kernels of attend: rows of kernels.def, and how each is launched.
#include <cuda_runtime.h>

#include "line_rows.h"
#include "merge_states.h"
#include "tensor_attend.h"

namespace sk {
namespace {

template <class T, int kDim>
cudaError_t launch(const AttendCudaRun& run, cudaStream_t stream) {
  constexpr int kShared = AttendShape<kDim>::kSharedBytes;
  const cudaError_t error = cudaFuncSetAttribute(tensor_attend<T, kDim>, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  if (error != cudaSuccess) return error;
  tensor_attend<T, kDim><<<static_cast<unsigned>(run.task_count), AttendShape<kDim>::kThreads, kShared, stream>>>(run);
  return cudaGetLastError();
}

template <class T>
int attend(const AttendCudaRun& run, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  if (run.head_dim <= 64) return launch<T, 64>(run, stream);
  return run.head_dim <= 128 ? launch<T, 128>(run, stream) : launch<T, 256>(run, stream);
}

int merge(const AttendCudaRun& run, void* opaque) {
  merge_parts<<<static_cast<unsigned>(run.task_count), 128, 0, static_cast<cudaStream_t>(opaque)>>>(run);
  return cudaGetLastError();
}

template <int kDim>
constexpr int64_t kSharedOf = AttendShape<kDim>::kSharedBytes + sizeof(ChunkKeys<AttendShape<kDim>::kKeys>) + 2 * sizeof(int32_t);

int64_t shared_bytes(int64_t head_dim) { return head_dim <= 64 ? kSharedOf<64> : head_dim <= 128 ? kSharedOf<128> : kSharedOf<256>; }

}  // namespace

// -1 behind the ids of each row.
int launch_vertical_slash(const VerticalSlashCudaRun& run, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  const int64_t rows = run.sequences * ((run.queries + int64_t{run.block_queries} - 1) / run.block_queries);
  for (const CudaLineLists& lists : {run.tiles, run.columns}) {
    const size_t bytes = static_cast<size_t>(rows * lists.capacity) * sizeof(int32_t);
    const cudaError_t error = bytes > 0 ? cudaMemsetAsync(lists.index, 0xff, bytes, stream) : cudaSuccess;
    if (error != cudaSuccess) return error;
  }
  line_rows<<<static_cast<unsigned>((rows + 127) / 128), 128, 0, stream>>>(run);
  return cudaGetLastError();
}

int launch_attend_merge(const AttendMergeRun& run, void* opaque) {
  constexpr int64_t kRows = kMergeThreads / 32;
  merge_states<<<static_cast<unsigned>((run.rows + kRows - 1) / kRows), kMergeThreads, 0, static_cast<cudaStream_t>(opaque)>>>(run);
  return cudaGetLastError();
}

#define SK_ATTEND_CUDA(row, type, dtype) \
  extern const AttendCudaKernel attend_##row##_cuda = {"attend_" #row "_cuda", dtype, attend<type>, merge, shared_bytes};
#include "../kernels.def"

}  // namespace sk

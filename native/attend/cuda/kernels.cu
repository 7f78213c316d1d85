// The CUDA kernels of attend: rows of kernels.def, and how each is launched.
#include <cuda_runtime.h>

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

}  // namespace

#define SK_ATTEND_CUDA(row, type, dtype) \
  extern const AttendCudaKernel attend_##row##_cuda = {"attend_" #row "_cuda", dtype, attend<type>, merge};
#include "../kernels.def"

}  // namespace sk

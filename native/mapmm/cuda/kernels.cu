// The CUDA kernels of mapmm: rows of kernels.def, and how each is launched.
#include <cuda_runtime.h>

#include "../../cuda/convert.h"
#include "gather_mma.h"

namespace sk {
namespace {

template <class T>
int multiply(const MapmmCudaProduct& p, void* stream) {
  const cudaError_t error = cudaFuncSetAttribute(gather_mma<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, kGatherSharedBytes);
  if (error != cudaSuccess) return error;
  const dim3 grid(static_cast<unsigned>(p.map.positions / kSiteRows), static_cast<unsigned>(p.out_blocks));
  gather_mma<T><<<grid, kGatherThreads, kGatherSharedBytes, static_cast<cudaStream_t>(stream)>>>(p);
  return cudaGetLastError();
}

template <class T>
int convert(const void* x, DType type, int64_t rows, int64_t columns, void* to, int64_t pitch, void* stream) {
  return launch_convert<T>(x, type, rows, columns, to, pitch, static_cast<cudaStream_t>(stream));
}

}  // namespace

#define SK_MAPMM_CUDA(row, type) extern const MapmmCudaKernel mapmm_##row##_cuda = {"mapmm_" #row "_cuda", convert<type>, multiply<type>};
#include "../kernels.def"

}  // namespace sk

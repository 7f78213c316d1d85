// The CUDA kernels of spmm: rows of kernels.def, and how each is launched.
#include <cuda_runtime.h>

#include "convert.h"
#include "sparse_mma.h"

namespace sk {
namespace {

// Many tokens: 8 warps; three stages of 25 KB let two blocks share a multiprocessor, and fit those with 100 KB too.
template <class T>
using Many = SparseMmaShape<T, 128, 2, 4, 3>;
// Few: the weight is what moves. 4 warps, six stages of 13 KB.
template <class T>
using Few = SparseMmaShape<T, 32, 4, 1, 6>;

template <class Shape>
cudaError_t launch(const SpmmCudaProduct& p, cudaStream_t stream) {
  constexpr int kShared = Shape::kSharedBytes;
  const cudaError_t error = cudaFuncSetAttribute(sparse_mma<Shape>, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  if (error != cudaSuccess) return error;
  const dim3 grid(static_cast<unsigned>((p.out + kTileRows - 1) / kTileRows),
                  static_cast<unsigned>((p.tokens + Shape::kTokens - 1) / Shape::kTokens), static_cast<unsigned>(p.splits));
  sparse_mma<Shape><<<grid, Shape::kThreads, kShared, stream>>>(p);
  return cudaGetLastError();
}

template <class T>
int multiply(const SpmmCudaProduct& p, int token_tile, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  const cudaError_t error = token_tile == kTokenTiles[0] ? launch<Many<T>>(p, stream) : launch<Few<T>>(p, stream);
  if (error != cudaSuccess || p.splits == 1) return error;
  const dim3 grid(static_cast<unsigned>((p.out + 8 * 128 - 1) / (8 * 128)), static_cast<unsigned>(p.tokens));
  finish_splits<<<grid, 128, 0, stream>>>(p);
  return cudaGetLastError();
}

template <class T>
int convert(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  const int64_t eights = pitch / 16 * tokens;
  const auto grid = static_cast<unsigned>((eights + 255) / 256);
  T* rows = static_cast<T*>(to);
  switch (type) {
    case DType::kFloat32: convert_rows<<<grid, 256, 0, stream>>>(static_cast<const float*>(x), tokens, in, rows, pitch / 16); break;
    case DType::kFloat16: convert_rows<<<grid, 256, 0, stream>>>(static_cast<const Half*>(x), tokens, in, rows, pitch / 16); break;
    default: convert_rows<<<grid, 256, 0, stream>>>(static_cast<const BHalf*>(x), tokens, in, rows, pitch / 16); break;
  }
  return cudaGetLastError();
}

}  // namespace

#define SK_SPMM_CUDA(row, type, n, m) extern const SpmmCudaKernel spmm_##row##_cuda = {"spmm_" #row "_cuda", convert<type>, multiply<type>};
#include "../kernels.def"

}  // namespace sk

// The CUDA kernels of spmm: rows of kernels.def, and how each is launched.
#include <cuda_runtime.h>

#include "../../cuda/convert.h"
#include "cells.h"
#include "quantise.h"
#include "sparse_mma.h"
#include "transpose.h"

namespace sk {
namespace {

unsigned blocks(int64_t work, int64_t each) { return static_cast<unsigned>((work + each - 1) / each); }

template <class Kernel>
cudaError_t launch(Kernel kernel, dim3 grid, dim3 threads, int shared, const SpmmCudaProduct& p, cudaStream_t stream) {
  const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
  if (error != cudaSuccess) return error;
  kernel<<<grid, threads, shared, stream>>>(p);
  return cudaGetLastError();
}

// ---- tiles ------------------------------------------------------------------------------------------------------------------------

// 8 warps with 64 rows x 64 tokens each: what moves through shared memory takes about as long as the mma.sp.
template <class T>
using Large = SparseMmaShape<T, 2, kManyTokens, 4, 2, 4, 1>;
// 8 warps; three stages of 25 KB let two blocks share a multiprocessor, and fit those with 100 KB too.
template <class T>
using Many = SparseMmaShape<T, 1, kManyTokens, 2, 4, 3, 2>;
// The weight is what moves. 4 warps, six stages of 13 KB.
template <class T>
using Few = SparseMmaShape<T, 1, kFewTokens, 4, 1, 6, 2>;
static_assert(Large<Half>::kSharedBytes == large_shared_bytes(2) && Large<Half>::kBlockRows == kLargeRows, "kernel.h says so");

template <class Shape>
cudaError_t launch_tiles(const SpmmCudaProduct& p, cudaStream_t stream) {
  const dim3 grid(blocks(p.rows, Shape::kBlockRows), blocks(p.tokens, Shape::kTokens), static_cast<unsigned>(p.splits));
  return launch(sparse_mma<Shape>, grid, Shape::kThreads, Shape::kSharedBytes, p, stream);
}

template <class T>
int multiply_tiles(const SpmmCudaProduct& p, SpmmShape shape, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  if (shape == SpmmShape::kLarge) return launch_tiles<Large<T>>(p, stream);
  if (shape == SpmmShape::kMany) return launch_tiles<Many<T>>(p, stream);
  const cudaError_t error = launch_tiles<Few<T>>(p, stream);
  if (error != cudaSuccess || p.splits == 1) return error;
  finish_splits<<<dim3(blocks(p.out, 8 * 128), static_cast<unsigned>(p.tokens)), 128, 0, stream>>>(p);
  return cudaGetLastError();
}

template <class T>
int convert_tiles(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, float* scales, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  if constexpr (std::is_same_v<T, int8_t>) {
    const unsigned grid = blocks(tokens, kQuantiseThreads / 32);
    quantise_rows<<<grid, kQuantiseThreads, 0, stream>>>(x, type, tokens, in, static_cast<int8_t*>(to), pitch, scales);
    return cudaGetLastError();
  } else {
    return launch_convert<T>(x, type, tokens, in, to, pitch, stream);
  }
}

// ---- cells ------------------------------------------------------------------------------------------------------------------------

template <class Shape>
cudaError_t launch_cells(const SpmmCudaProduct& p, cudaStream_t stream) {
  const dim3 grid(blocks(p.rows, kCellRows), blocks(p.tokens, Shape::kTokens));
  return launch(cells_product<Shape>, grid, Shape::kThreads, Shape::kSharedBytes, p, stream);
}

template <class>
int multiply_cells(const SpmmCudaProduct& p, SpmmShape shape, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  return shape == SpmmShape::kFew ? launch_cells<CellShape<kFewTokens>>(p, stream) : launch_cells<CellShape<kManyTokens>>(p, stream);
}

template <class>
int convert_cells(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, float*, void* opaque) {
  const dim3 grid(static_cast<unsigned>(pitch / 4 / 32), blocks(in, kCellInputs) * (kCellInputs / 32));
  transpose_rows<<<grid, dim3(32, 8), 0, static_cast<cudaStream_t>(opaque)>>>(x, type, tokens, in, static_cast<float*>(to), pitch / 4);
  return cudaGetLastError();
}

}  // namespace

#define SK_SPMM_CUDA(row, type, n, m, format) \
  extern const SpmmCudaKernel spmm_##row##_cuda = {"spmm_" #row "_cuda", convert_##format<type>, multiply_##format<type>};
#include "../kernels.def"

}  // namespace sk

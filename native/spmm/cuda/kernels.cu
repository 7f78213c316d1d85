// The CUDA kernels of spmm: rows of kernels.def, and how each is launched.
#include <cuda_runtime.h>

#include "../../cuda/convert.h"
#include "cells.h"
#include "gathered_mma.h"
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
static_assert(Large<Half>::kSharedBytes == large_shared_bytes(TileForm::kHalves) && Large<Half>::kBlockRows == kLargeRows,
              "kernel.h says so");

// Widening the weight costs as many instructions as half of the mma.sp of a fragment with few tokens: warps of 64 x 64, four of them.
using ManyLanes = SparseMmaShape<ByteLanes, 1, kManyTokens, 2, 2, 3, 2>;
using FewLanes = SparseMmaShape<ByteLanes, 1, kFewTokens, 4, 1, 8, 2>;
// 4-bit values cost twice as many. With few tokens their floor is the bytes of the weight: 3.5 bits of each dense one in groups of 32, of
// which two are values, one is metadata; at 4096 x 4096 7.3 MB, which an A100 reads in 4.7 us. Instructions take half of that.
template <bool kZeroPoints>
using ManyNibbles = SparseMmaShape<NibbleLanes<kZeroPoints>, 1, kManyTokens, 2, 2, 3, 2>;
template <bool kZeroPoints>
using FewNibbles = SparseMmaShape<NibbleLanes<kZeroPoints>, 1, kFewTokens, 4, 1, 6, 2>;

template <class Shape>
cudaError_t launch_tiles(const SpmmCudaProduct& p, cudaStream_t stream) {
  const dim3 grid(blocks(p.rows, Shape::kBlockRows), blocks(p.tokens, Shape::kTokens), static_cast<unsigned>(p.splits));
  return launch(sparse_mma<Shape>, grid, Shape::kThreads, Shape::kSharedBytes, p, stream);
}

cudaError_t launch_finish_splits(const SpmmCudaProduct& p, cudaStream_t stream) {
  finish_splits<<<dim3(blocks(p.out, 8 * 128), static_cast<unsigned>(p.tokens)), 128, 0, stream>>>(p);
  return cudaGetLastError();
}

template <class Shape>
cudaError_t launch_few(const SpmmCudaProduct& p, cudaStream_t stream) {
  const cudaError_t error = launch_tiles<Shape>(p, stream);
  return error != cudaSuccess || p.splits == 1 ? error : launch_finish_splits(p, stream);
}

template <class T>
int multiply_tiles(const SpmmCudaProduct& p, SpmmShape shape, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  if (shape == SpmmShape::kLarge) return launch_tiles<Large<T>>(p, stream);
  return shape == SpmmShape::kMany ? launch_tiles<Many<T>>(p, stream) : launch_few<Few<T>>(p, stream);
}

template <class T>
int convert_tiles(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, float*, void* opaque) {
  return launch_convert<T>(x, type, tokens, in, to, pitch, static_cast<cudaStream_t>(opaque));
}

template <class T>
int quantise(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, float* scales, void* opaque) {
  // A warp for a token where that is a few loads for each lane; else a block, as a single token would keep one warp waiting for its loads.
  const dim3 threads = in <= 1024 ? dim3(32, kQuantiseThreads / 32) : dim3(kQuantiseThreads);
  quantise_rows<<<blocks(tokens, threads.y), threads, 0, static_cast<cudaStream_t>(opaque)>>>(
      x, type, tokens, in, static_cast<T*>(to), pitch / static_cast<int64_t>(sizeof(T)), scales);
  return cudaGetLastError();
}

template <class>
constexpr auto multiply_tf32_tiles = multiply_tiles<Tf32>;

template <class>
int convert_tf32_tiles(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, float*, void* opaque) {
  round_rows<<<blocks(tokens * (pitch / 16), kQuantiseThreads), kQuantiseThreads, 0, static_cast<cudaStream_t>(opaque)>>>(
      x, type, tokens, in, static_cast<uint32_t*>(to), pitch / 16);
  return cudaGetLastError();
}

template <class T>
constexpr auto multiply_byte_tiles = multiply_tiles<T>;
template <class T>
constexpr auto convert_byte_tiles = quantise<T>;

template <class FewShape, class ManyShape>
int multiply_lanes(const SpmmCudaProduct& p, SpmmShape shape, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  return shape == SpmmShape::kFew ? launch_few<FewShape>(p, stream) : launch_tiles<ManyShape>(p, stream);
}
template <class>
constexpr auto multiply_byte_lanes = multiply_lanes<FewLanes, ManyLanes>;
template <class>
constexpr auto convert_byte_lanes = quantise<Half>;
template <class>
int multiply_nibble_lanes(const SpmmCudaProduct& p, SpmmShape shape, void* stream) {
  return p.zero_points ? multiply_lanes<FewNibbles<true>, ManyNibbles<true>>(p, shape, stream)
                       : multiply_lanes<FewNibbles<false>, ManyNibbles<false>>(p, shape, stream);
}
template <class>
constexpr auto convert_nibble_lanes = quantise<Half>;

// ---- gathered tiles -----------------------------------------------------------------------------------------------------------------

// Tiles of 64 rows: 4 warps with 64 rows x 32 tokens each, or 32 x 16. All of x that a tile needs serves half as many mma.sp: L2 is what
// limits them.
template <class T>
using ManyHalf = SparseMmaShape<T, 1, kManyTokens, 1, 4, 3, 2, kHalfTileRows>;
template <class T>
using FewHalf = SparseMmaShape<T, 1, kFewTokens, 2, 2, 6, 2, kHalfTileRows>;

template <class Shape>
cudaError_t launch_gathered(const SpmmCudaProduct& p, cudaStream_t stream) {
  const dim3 grid(blocks(p.rows, Shape::kBlockRows), blocks(p.tokens, Shape::kTokens), static_cast<unsigned>(p.splits));
  const cudaError_t error = launch(gathered_mma<Shape>, grid, Shape::kThreads, Shape::kSharedBytes, p, stream);
  return error != cudaSuccess || p.splits == 1 ? error : launch_finish_splits(p, stream);
}

template <class FewShape, class ManyShape, int kColumns>
cudaError_t multiply_columns(const SpmmCudaProduct& p, SpmmShape shape, cudaStream_t stream) {
  return shape == SpmmShape::kFew ? launch_gathered<GatheredShape<FewShape, kColumns>>(p, stream)
                                  : launch_gathered<GatheredShape<ManyShape, kColumns>>(p, stream);
}

template <class FewShape, class ManyShape>
int multiply_gathered_as(const SpmmCudaProduct& p, SpmmShape shape, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  return p.tile_columns == 64 ? multiply_columns<FewShape, ManyShape, 64>(p, shape, stream)
                              : multiply_columns<FewShape, ManyShape, 32>(p, shape, stream);
}
template <class T>
constexpr auto multiply_gathered = multiply_gathered_as<Few<T>, Many<T>>;
template <class T>
constexpr auto multiply_gathered_64 = multiply_gathered_as<FewHalf<T>, ManyHalf<T>>;

template <class T>
int convert_gathered(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, float*, void* opaque) {
  const int64_t row = pitch / static_cast<int64_t>(sizeof(T));
  const dim3 grid(static_cast<unsigned>(row / 32), static_cast<unsigned>(gathered_inputs(in) / 32));
  transpose_rows<<<grid, dim3(32, 8), 0, static_cast<cudaStream_t>(opaque)>>>(x, type, tokens, in, static_cast<T*>(to), row);
  return cudaGetLastError();
}

template <class T>
constexpr auto convert_gathered_64 = convert_gathered<T>;

// ---- cells ------------------------------------------------------------------------------------------------------------------------

template <class Shape>
cudaError_t launch_cells(const SpmmCudaProduct& p, cudaStream_t stream) {
  const dim3 grid(blocks(p.rows, kCellRows), blocks(p.tokens, Shape::kTokens));
  return launch(cells_product<Shape>, grid, Shape::kThreads, Shape::kSharedBytes, p, stream);
}

template <class>
int multiply_cells(const SpmmCudaProduct& p, SpmmShape shape, void* opaque) {
  const auto stream = static_cast<cudaStream_t>(opaque);
  return shape == SpmmShape::kFew ? launch_cells<CellShape<float, kFewTokens>>(p, stream)
                                  : launch_cells<CellShape<float, kManyTokens>>(p, stream);
}

template <class>
int convert_cells(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, float*, void* opaque) {
  const dim3 grid(static_cast<unsigned>(pitch / 4 / 32), blocks(in, kCellInputs) * (kCellInputs / 32));
  transpose_rows<<<grid, dim3(32, 8), 0, static_cast<cudaStream_t>(opaque)>>>(x, type, tokens, in, static_cast<float*>(to), pitch / 4);
  return cudaGetLastError();
}

template <class>
int multiply_byte_cells(const SpmmCudaProduct& p, SpmmShape, void* opaque) {
  return launch_cells<CellShape<int8_t, kManyTokens>>(p, static_cast<cudaStream_t>(opaque));
}

template <class>
int convert_byte_cells(const void* x, DType type, int64_t tokens, int64_t in, void* to, int64_t pitch, float* scales, void* opaque) {
  const int64_t inputs = (in + kCellInputs - 1) / kCellInputs * kCellInputs;
  auto* panel = static_cast<uint8_t*>(to);
  uint8_t* rows = panel + inputs * pitch;
  const int error = quantise<int8_t>(x, type, tokens, in, rows, inputs, scales, opaque);
  if (error != cudaSuccess) return error;
  const dim3 grid(static_cast<unsigned>(pitch / kManyTokens), static_cast<unsigned>(inputs / 32));
  transpose_byte_rows<<<grid, 256, 0, static_cast<cudaStream_t>(opaque)>>>(rows, tokens, inputs, panel, pitch);
  return cudaGetLastError();
}

}  // namespace

#define SK_SPMM_CUDA(row, type, n, m, format) \
  extern const SpmmCudaKernel spmm_##row##_cuda = {"spmm_" #row "_cuda", convert_##format<type>, multiply_##format<type>};
#include "../kernels.def"

}  // namespace sk

// What the CUDA plan and the kernels of mapmm share. No CUDA headers.
//
// The weight W[groups][out, in] of 16-bit values, in tiles of 64 outputs x 32 inputs:
//
//   tiles [groups][out_padded / 64][in_padded / 32] of kWeightTileBytes: rows of 64 bytes, two in a line of 128, as shared memory wants
//   them:
//         16-byte chunk c of row r lies at line r / 2, position (r % 2) * 4 + (c ^ (r / 2) % 4); ldmatrix then meets no bank twice
//
// The map is a CudaMapView: a block of the product is a block of its positions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../core/tensor.h"
#include "../../cuda/map_view.h"
#include "../kernel.h"

namespace sk {

constexpr int kSiteRows = kMapBlock, kWeightRows = 64, kStepBytes = 64;  // of a block; a step is 32 inputs
constexpr int kWeightTileBytes = kWeightRows * kStepBytes;

// All pointers to device memory.
struct MapmmCudaProduct {
  const void* tiles;
  const float* bias;                   // padded to 64 outputs
  int64_t in, out, out_blocks, steps;  // steps of 32 inputs
  CudaMapView map;
  const void* x;  // rows of x_pitch bytes, a multiple of 16, of the type of the weight
  int64_t x_pitch;
  void* y;  // [out_rows, out]
  DType y_type;
  MapActivation activation;
};

// One row of kernels.def. The functions put work on the stream and return a cudaError_t.
struct MapmmCudaKernel {
  const char* name;  // mapmm_f16_dense_cuda
  int (*convert)(const void* x, DType type, int64_t rows, int64_t columns, void* to, int64_t pitch, void* stream);
  int (*multiply)(const MapmmCudaProduct& product, void* stream);
};

}  // namespace sk

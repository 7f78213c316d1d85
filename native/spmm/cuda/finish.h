// The end of a product: y = act(sum + bias), eight outputs of a token at a time, 16 bytes a store where rows are aligned.
#pragma once

#include "../../cuda/elements.h"
#include "kernel.h"

namespace sk {

// All keep NaN, as on the CPU.
__device__ inline float activate(float x, Activation activation) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return x < 0 ? 0 : x;
    case Activation::kGelu: return 0.5f * x * erfcf(x * -0.70710678118654752f);  // erfc: nothing cancels for negative x
    case Activation::kGeluTanh: return x / (1 + __expf(-1.5957691216057308f * x * (1 + 0.044715f * x * x)));
    case Activation::kSilu: return x / (1 + __expf(-x));
  }
  return x;
}

// Eight floats as the 16 or 32 bytes of eight elements. Plain assignments of vectors are taken apart by the compiler at times.
__device__ inline void store_whole(float* to, const float (&x)[8]) {
  __stwb(reinterpret_cast<float4*>(to), make_float4(x[0], x[1], x[2], x[3]));
  __stwb(reinterpret_cast<float4*>(to) + 1, make_float4(x[4], x[5], x[6], x[7]));
}
template <class T>
__device__ inline void store_whole(T* to, const float (&x)[8]) {
  uint32_t pairs[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) pairs[i] = narrow_to<T>(x[2 * i]).bits | static_cast<uint32_t>(narrow_to<T>(x[2 * i + 1]).bits) << 16;
  __stwb(reinterpret_cast<uint4*>(to), make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]));
}

// row[first .. first + 8) of `length` elements = eight; what lies past the row is dropped.
template <class T>
__device__ inline void store_eight(T* row, int64_t first, int64_t length, const float (&eight)[8]) {
  T* to = row + first;
  if (first + 8 <= length && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
    store_whole(to, eight);
  } else {
    for (int i = 0; i < 8 && first + i < length; ++i) to[i] = narrow_to<T>(eight[i]);
  }
}

// Eight sums of shared memory, lane after lane. The lanes of a quarter of a warp would meet in the same banks: half of them read their
// second four first.
__device__ inline void read_eight(const float* sums, float (&eight)[8]) {
  const float4* fours = reinterpret_cast<const float4*>(sums);
  const int second_first = threadIdx.x / 4 % 2;
  const float4 one = fours[second_first], other = fours[1 - second_first];
  const float4 low = second_first ? other : one, high = second_first ? one : other;
  const float both[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
  for (int i = 0; i < 8; ++i) eight[i] = both[i];
}

// The bias of eight outputs; it is padded.
__device__ inline void load_bias(const SpmmCudaProduct& p, int64_t output, float (&bias)[8]) {
  const float4* fours = reinterpret_cast<const float4*>(p.bias + output);
  const float4 low = fours[0], high = fours[1];
  const float both[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
  for (int i = 0; i < 8; ++i) bias[i] = both[i];
}

__device__ inline void finish_eight(const SpmmCudaProduct& p, int64_t token, int64_t output, const float (&bias)[8], float (&eight)[8]) {
#pragma unroll
  for (int i = 0; i < 8; ++i) eight[i] = activate(eight[i] + bias[i], p.activation);
  const int64_t row = token * p.out;
  switch (p.y_type) {
    case DType::kFloat32: return store_eight(static_cast<float*>(p.y) + row, output, p.out, eight);
    case DType::kFloat16: return store_eight(static_cast<Half*>(p.y) + row, output, p.out, eight);
    default: return store_eight(static_cast<BHalf*>(p.y) + row, output, p.out, eight);
  }
}

// Adds the splits in their order, so that results do not depend on which was ready first. Grid: eights of outputs, tokens.
__global__ void finish_splits(const SpmmCudaProduct p) {
  const int64_t output = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 8, token = blockIdx.y;
  if (output >= p.out) return;
  float eight[8] = {};
  for (int split = 0; split < p.splits; ++split) {
    const auto* from = reinterpret_cast<const float4*>(p.partial + (split * p.tokens + token) * p.partial_pitch + output);
    const float4 low = from[0], high = from[1];
    const float part[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
    for (int i = 0; i < 8; ++i) eight[i] += part[i];
  }
  float bias[8];
  load_bias(p, output, bias);
  finish_eight(p, token, output, bias, eight);
}

}  // namespace sk

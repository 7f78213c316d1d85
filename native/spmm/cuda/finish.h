// The end of a product: y = act(sum + bias), eight outputs of a token at a time, 16 bytes a store where rows are aligned.
#pragma once

#include "../../cuda/eights.h"
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

__device__ inline void finish_eight(const SpmmCudaProduct& p, int64_t token, int64_t output, const float (&bias)[8], float (&eight)[8]) {
#pragma unroll
  for (int i = 0; i < 8; ++i) eight[i] = activate(eight[i] + bias[i], p.activation);
  store_eight_as(p.y_type, p.y, token, output, p.out, eight);
}

// Adds the splits in their order, so that results do not depend on which was ready first. Grid: eights of outputs, tokens.
__global__ void finish_splits(const SpmmCudaProduct p) {
  const int64_t output = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 8, token = blockIdx.y;
  if (output >= p.out) return;
  float eight[8] = {};
  for (int split = 0; split < p.splits; ++split) {
    float part[8];
    load_eight(p.partial + (split * p.tokens + token) * p.partial_pitch + output, part);
#pragma unroll
    for (int i = 0; i < 8; ++i) eight[i] += part[i];
  }
  float bias[8];
  load_eight(p.bias + output, bias);  // padded
  finish_eight(p, token, output, bias, eight);
}

}  // namespace sk

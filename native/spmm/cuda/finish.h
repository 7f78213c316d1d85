// The end of a product: sums become outputs, eight of a token at a time, 16 bytes a store where rows are aligned. What a plan asks for is
// looked up when it runs: kernels for each combination would not be faster, their time is in the products.
#pragma once

#include "../../cuda/eights.h"
#include "kernel.h"

namespace sk {

// x P(X <= x) of the normal distribution. The tail P(X > |x|) by Abramowitz and Stegun 26.2.17, as on the CPU (simd/activate.h): within
// 7.5e-8, nothing cancels for negative x, and a quarter of the code of erfcf().
__device__ inline float gelu(float x) {
  const float a = fabsf(x), t = __fdividef(1, fmaf(0.2316419f, a, 1));
  float p = 0.530702714f;
  p = fmaf(p, t, -0.726576013f);
  p = fmaf(p, t, 0.710706870f);
  p = fmaf(p, t, -0.142248368f);
  p = fmaf(p, t, 0.127414796f);
  const float tail = p * t * __expf(a * a * -0.5f);
  return x * (x < 0 ? tail : 1 - tail);
}

// All keep NaN, as on the CPU.
__device__ inline float activate(float x, Activation activation) {
  if (activation == Activation::kNone) return x;
  if (activation == Activation::kRelu) return x < 0 ? 0 : x;
  if (activation == Activation::kGelu) return gelu(x);
  // x sigmoid(z): SiLU, or GELU by tanh
  const float z = activation == Activation::kSilu ? x : x * fmaf(x * x, 0.0713548162726f, 1.5957691216057308f);
  return x / (1 + __expf(-z));
}

// The packed row of an output, of its gate where there is one: its own is then gate_rows further.
__device__ inline int64_t packed_row(const SpmmCudaProduct& p, int64_t output) { return output + (output & -p.gate_rows); }

// Eight neighbouring outputs, for any token.
class OutputEight {
 public:
  __device__ OutputEight(const SpmmCudaProduct& p, int64_t output) : p_(p), output_(output) {
    const float* bias = p.bias + packed_row(p, output);  // padded
    load_whole(bias, bias_);
    if (p.gate_rows) load_whole(bias + p.gate_rows, own_bias_);
  }

  // The sums of the outputs; with a gate those of the gate, and of the outputs themselves.
  __device__ void store(int64_t token, float (&eight)[8], const float (&own)[8]) const {
    const float scale = p_.x_scale ? p_.x_scale[token] : 1.0f;
#pragma unroll
    for (int i = 0; i < 8; ++i) eight[i] = activate(fmaf(eight[i], scale, bias_[i]), p_.activation);
    if (p_.gate_rows) {
#pragma unroll
      for (int i = 0; i < 8; ++i) eight[i] *= fmaf(own[i], scale, own_bias_[i]);
    }
    if (p_.residual) add_eight_as(p_.y_type, p_.residual, token, output_, p_.out, eight);
    store_eight_as(p_.y_type, p_.y, token, output_, p_.out, eight);
  }

 private:
  const SpmmCudaProduct& p_;
  int64_t output_;
  float bias_[8], own_bias_[8];
};

// The sums of `rows` packed rows in shared memory, [tokens][rows + 4], to y. A thread has the same eight outputs of several tokens. A
// function of its own, which all kernels call: it would be half of the code of each.
static __device__ __noinline__ void finish_sums(const SpmmCudaProduct& p, int rows, int64_t first_row, int64_t first_token, int tokens,
                                                const float* sums) {
  const int gated = p.gate_rows != 0, eights = rows / 8 >> gated;
  const int column = threadIdx.x % eights * 8;
  const int64_t output = (first_row >> gated) + column;
  if (output >= p.out) return;
  const OutputEight outputs(p, output);
  const float* from = sums + packed_row(p, column);
  for (int t = threadIdx.x / eights; t < tokens && first_token + t < p.tokens; t += blockDim.x / eights) {
    float eight[8], own[8];
    const float* row = from + t * (rows + 4);
    read_eight(row, eight, column / 32 % 2);
    if (gated) read_eight(row + p.gate_rows, own, column / 32 % 2);
    outputs.store(first_token + t, eight, own);
  }
}

// eight = the splits of eight packed rows, added in their order, so that results do not depend on which was ready first.
__device__ inline void add_splits(const SpmmCudaProduct& p, int64_t token, int64_t row, float (&eight)[8]) {
#pragma unroll
  for (int i = 0; i < 8; ++i) eight[i] = 0;
  for (int split = 0; split < p.splits; ++split)
    add_eight(p.partial + (split * p.tokens + token) * p.partial_pitch, row, p.partial_pitch, eight);
}

// Grid: eights of outputs, tokens.
__global__ void finish_splits(const SpmmCudaProduct p) {
  const int64_t output = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 8, token = blockIdx.y;
  if (output >= p.out) return;
  const OutputEight outputs(p, output);
  float eight[8], own[8];
  add_splits(p, token, packed_row(p, output), eight);
  if (p.gate_rows) add_splits(p, token, packed_row(p, output) + p.gate_rows, own);
  outputs.store(token, eight, own);
}

}  // namespace sk

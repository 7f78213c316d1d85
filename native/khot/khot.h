// khot: Y = act(X W^T + bias) + R, where each row of X keeps few inputs: the decoder of a sparse autoencoder, a layer behind ReLU or top-k,
// a bag of embeddings.
//
//   y[t, o] = act(bias[o] + sum over the kept inputs j of t of value[j] * w[o, input[j]]) + residual[t, o]
//
// A run reads the columns of W that its lists name, and nothing of the others: it is spmm with the sparse operand on the other side. An
// input that a list names twice counts twice. Sums are float32, in the order of the list: they depend neither on other rows nor on threads.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "../core/kernel.h"
#include "../core/memory.h"
#include "../core/status.h"
#include "../core/tensor.h"
#include "kernel.h"

namespace sk {

struct KHotOptions {
  MatrixView weight = {nullptr, DType::kFloat32, 0, 0};  // [out, in] of float32, float16 or bfloat16
  DType values = DType::kFloat32;                        // what the plan stores it as: one of these
  const float* bias = nullptr;                           // [out] or null
  Activation activation = Activation::kNone;
  std::string isa;  // empty: the best this machine has
  int threads = 0;  // at most so many threads a run; 0: all of the pool
};

// The list of token t is [offsets[t], offsets[t + 1]) of inputs and values.
struct KHotLists {
  int64_t tokens;
  const int32_t* offsets;  // [tokens + 1]
  const int32_t* inputs;
  const float* values;
  int64_t length;  // of inputs, and of values
};

// y [tokens, out] of float32, float16 or bfloat16; what is added last is of its type and size, null (nothing), or y itself.
struct KHotOutput {
  void* y;
  DType type = DType::kFloat32;
  const void* residual = nullptr;
};

// Immutable. Runs may be under way on any number of threads at once.
class KHotPlan {
 public:
  static Status create(const KHotOptions& options, std::shared_ptr<const KHotPlan>* plan);

  // Lists may hold anything: what is no list, or names no input, is an error before anything is written. y must not overlap them. `cancel`
  // (may be null) is polled between tiles.
  Status run(const KHotLists& lists, const KHotOutput& output, const std::atomic<bool>* cancel) const;
  // The inputs of x [tokens, in] of float32, float16 or bfloat16 that are not 0, NaN among them.
  Status run(const void* x, DType type, int64_t tokens, const KHotOutput& output, const std::atomic<bool>* cancel) const;
  // The weight [out, in] as the plan holds it.
  void to_dense(float* dense) const;

  const KHotKernel& kernel() const { return *kernel_; }
  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  size_t bytes() const { return bytes_; }

 private:
  KHotPlan() = default;
  Status pack(const KHotOptions& options);
  Status check(const KHotLists& lists) const;
  Status multiply(const KHotLists& lists, const KHotOutput& output, const std::atomic<bool>* cancel) const;

  const KHotKernel* kernel_ = nullptr;
  int64_t in_ = 0, out_ = 0, stride_ = 0;
  int threads_ = 0;
  DType values_ = DType::kFloat32;
  Activation activation_ = Activation::kNone;
  AlignedBuffer weight_, bias_;
  size_t bytes_ = 0;
};

// The rows of kernels.def, in its order.
std::vector<KernelRow> khot_kernels();

}  // namespace sk

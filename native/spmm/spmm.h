// spmm: Y = act(X * S^T + bias), S sparse.
//
//   y[t, o] = act(bias[o] + sum over kept i of s[o, i] * x[t, i]) + residual[t, o]
//   gated:    act(gate_bias[o] + sum of gate[o, i] * x[t, i]) * (bias[o] + sum of s[o, i] * x[t, i]) + residual[t, o]
//
// x [tokens, in], s and gate [out, in], y and residual [tokens, out], all row-major; bias and residual may be left out.
// x and y are float32, float16 or bfloat16; s is stored as one of these, as int8 with a scale for each row, or as int4 (2:4, or whole
// groups of inputs kept or dropped) with a scale, and perhaps a zero, for each group of inputs of a row. Sums are float32; where x is
// quantised to int8 too, with a scale for each token, they are int32 and exact; of int4 with a scale for each group of inputs of a token,
// they are so within a group.
// S is N:M sparse along `in`: of every m consecutive weights of a row at most n are non-zero; or rows share their columns; or it is
// unstructured. kernel.h draws the layouts.
// Nothing is read outside x [tokens * in] or written outside y [tokens * out].
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "../core/dtype_of.h"
#include "../core/kernel.h"
#include "../core/memory.h"
#include "../core/status.h"
#include "band.h"
#include "csr.h"
#include "groups.h"
#include "kernel.h"
#include "pack.h"

namespace sk {

template <>
constexpr DType dtype_of<Int4> = DType::kInt4;

struct SpmmOptions {
  MatrixView weight = {nullptr, DType::kFloat32, 0, 0};  // [out, in], pruned
  DType values = DType::kFloat32;                        // what the plan stores the weight as; int8 for an int8 weight
  const float* scale = nullptr;                          // [out], of an int8 weight; stored as int4: [out, groups]
  const float* bias = nullptr;                           // [out] or null
  const void* gate = nullptr;                            // [out, in] of the type of the weight, or null
  const float* gate_scale = nullptr;                     // as `scale`, of an int8 gate
  const float* gate_bias = nullptr;                      // [out] or null
  int n = 0, m = 0;                                      // the pattern; 0:0 for an unstructured weight
  int64_t rows = 1;                                      // so many output rows share their columns: V of V:N:M; of a block, where m is 0
  bool int8_activations = false;  // x is quantised, for each token by itself; for int8 values of an N:M pattern, int4
  bool allow_tf32 = false;        // on a CUDA device: float32 may be multiplied as tf32
  int64_t group = 0;              // of int4: inputs that share a scale, and those kept or dropped as one where m is 0
  bool zero_point = false;        // of int4: each group has a zero of its own
  bool venom = false;             // they share 4 columns of m, and each row has n of these
  Activation activation = Activation::kNone;
  std::string isa;      // empty: the best this machine has
  int64_t tokens = 64;  // expected tokens of a run: sizes the row blocks
  int threads = 0;      // at most so many threads a run; 0: all of the pool
};

// An x that has been packed for a plan, and where the tokens of each kernel call lie in it.
struct SpmmInput {
  struct Strip {
    int64_t first, tokens;
    int vectors;    // of its panel; 0: rows for few()
    int64_t x;      // offset of its floats
    int64_t scale;  // of those of its tokens, where x is int8 and the weight is
  };
  std::vector<Strip> strips;
  int64_t tokens = 0, floats = 0;
  AlignedBuffer x;
};

// Immutable: checked structure + packed weight + chosen kernel. run() may be called from any number of threads at once.
class SpmmPlan {
 public:
  static Status create(const SpmmOptions& options, std::shared_ptr<const SpmmPlan>* plan);

  // x [tokens, in], y [tokens, out], of no type but float32, float16 and bfloat16; they must not overlap. `cancel` (may be null) is polled
  // between tiles. residual: null or of the shape and type of y, and it may be y.
  Status run(const void* x, DType x_type, int64_t tokens, void* y, DType y_type, const std::atomic<bool>* cancel,
             const void* residual = nullptr) const;

  // run() in two halves, of which only the first needs x: pack() into the room of an input() (input.x may be given memory before), then
  // multiply(), on any thread.
  SpmmInput input(int64_t tokens) const;
  Status pack(const void* x, DType x_type, SpmmInput* input) const;
  Status multiply(const SpmmInput& input, void* y, DType y_type, const std::atomic<bool>* cancel, const void* residual = nullptr) const;

  // The pruned weight [out, in], as the plan stores it; then the gate.
  void to_dense(float* dense) const;
  // Of a quantised plan: the scales [out, scales_per_row()] of the weight, then those of the gate; 0 of groups that were dropped.
  void scales(float* scales) const;

  const SpmmKernel& kernel() const { return *kernel_; }
  int64_t in() const { return weight_->in; }
  int64_t out() const { return weight_->out; }
  int run_threads() const;         // of a run that starts now
  int64_t scales_per_row() const;  // 0: none
  bool gated() const { return rows_.gated; }
  size_t bytes() const { return bytes_; }  // of the packed weight and bias

 private:
  SpmmPlan() = default;

  void cut(int64_t tokens, int64_t most_floats, SpmmInput* input) const;
  void pack_strips(const void* x, DType x_type, const SpmmInput& input, int slots, float* packed_x) const;
  Status multiply_strips(const SpmmInput& input, const float* packed_x, int slots, float* accumulators, void* y, DType y_type,
                         const std::atomic<bool>* cancel, const void* residual) const;
  Status pack_vectors(const SpmmOptions& options);
  Status pack_nm(const SpmmOptions& options);
  Status pack_csr(const SpmmOptions& options);
  Status pack_bands(const SpmmOptions& options);
  Status pack_groups(const SpmmOptions& options);
  int64_t row_block(const SpmmOptions& options, int panel_vectors) const;
  PackedValues packed_values() const;
  int64_t accumulator_floats() const;

  const SpmmKernel* kernel_ = nullptr;
  const SpmmMoves* moves_ = nullptr;      // of its ISA
  const PackedWeight* weight_ = nullptr;  // nm_, csr_, bands_ or groups_
  WeightRows rows_ = {};                  // their data only while the plan is made
  PackedNm nm_ = {};
  PackedCsr csr_ = {};
  PackedBands bands_ = {};
  PackedGroups groups_ = {};
  CsrStorage csr_storage_;
  BandStorage band_storage_;
  GroupStorage group_storage_;
  int64_t group_ = 0;  // of int4
  Activation activation_ = Activation::kNone;
  int threads_ = 0;
  DType values_type_ = DType::kFloat32;
  AlignedBuffer values_, fields_, bias_, scale_, level_scales_, level_zeros_;
  size_t bytes_ = 0;
};

// What every plan asks of its options, on any device.
Status check_options(const SpmmOptions& options);

// Every row of kernels.def, in its order.
std::vector<KernelRow> spmm_kernels();

}  // namespace sk

// spmm on a CUDA device: the weight stays there, x and y are device memory.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "../../core/kernel.h"
#include "../../cuda/device.h"
#include "../spmm.h"
#include "weight.h"

namespace sk {

// Immutable: checked structure + weight on the device + chosen kernel. run() may be called from any number of threads at once.
class SpmmCudaPlan {
 public:
  // options.isa is '' or 'cuda'; options.threads has no meaning here.
  static Status create(std::shared_ptr<const CudaDevice> device, const SpmmOptions& options, std::shared_ptr<const SpmmCudaPlan>* plan);

  // x [tokens, in], y and residual [tokens, out] hold at least that much, on the plan's device; residual: null, or of the type of y, and it
  // may be y. Puts the work on the device's stream and returns.
  Status run(const CudaBuffer& x, DType x_type, int64_t tokens, const CudaBuffer& y, DType y_type, const CudaBuffer* residual) const;

  // The pruned weight [out, in], as the plan stores it; then the gate.
  void to_dense(float* dense) const { weight_->to_dense(dense); }

  const SpmmCudaKernel& kernel() const { return *kernel_; }
  const std::shared_ptr<const CudaDevice>& device() const { return device_; }
  int64_t in() const { return rows_.weight.columns; }
  int64_t out() const { return rows_.weight.rows; }
  bool gated() const { return rows_.gated; }
  size_t bytes() const { return weight_->bytes() + scale_.bytes() + bias_.bytes(); }  // on the device

 private:
  SpmmCudaPlan() = default;

  Status upload_scale(const SpmmOptions& options);
  Status upload_bias(const SpmmOptions& options);

  std::shared_ptr<const CudaDevice> device_;
  const SpmmCudaKernel* kernel_ = nullptr;
  WeightRows rows_ = {};  // their data only while the plan is made
  Activation activation_ = Activation::kNone;
  std::unique_ptr<const SpmmCudaWeight> weight_;
  std::vector<float> host_scale_;  // of the packed rows, where values are int8
  CudaBuffer scale_, bias_;
};

// The CUDA rows of kernels.def; also where this build or machine cannot run them.
std::vector<KernelRow> spmm_cuda_kernels();

}  // namespace sk

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

  // x [tokens, in] and y [tokens, out] hold at least that much, on the plan's device. Puts the work on the device's stream and returns.
  Status run(const CudaBuffer& x, DType x_type, int64_t tokens, const CudaBuffer& y, DType y_type) const;

  // The pruned weight [out, in], as the plan stores it.
  void to_dense(float* dense) const { weight_->to_dense(dense); }

  const SpmmCudaKernel& kernel() const { return *kernel_; }
  const std::shared_ptr<const CudaDevice>& device() const { return device_; }
  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  size_t bytes() const { return weight_->bytes() + bias_.bytes(); }  // on the device

 private:
  SpmmCudaPlan() = default;

  Status upload_bias(const float* bias);

  std::shared_ptr<const CudaDevice> device_;
  const SpmmCudaKernel* kernel_ = nullptr;
  int64_t in_ = 0, out_ = 0;
  Activation activation_ = Activation::kNone;
  std::unique_ptr<const SpmmCudaWeight> weight_;
  CudaBuffer bias_;
};

// The CUDA rows of kernels.def; also where this build or machine cannot run them.
std::vector<KernelRow> spmm_cuda_kernels();

}  // namespace sk

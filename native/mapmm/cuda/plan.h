// mapmm on a CUDA device: the weight stays there; map, x and y are device memory.
#pragma once

#include <memory>
#include <vector>

#include "../../core/kernel.h"
#include "../../cuda/device.h"
#include "../mapmm.h"
#include "kernel.h"

namespace sk {

// Immutable. run() may be called from any number of threads at once.
class MapmmCudaPlan {
 public:
  // Weights of one split, not transposed; stored as `values`, float16 or bfloat16.
  static Status create(std::shared_ptr<const CudaDevice> device, const MapmmOptions& options, DType values,
                       std::shared_ptr<const MapmmCudaPlan>* plan);

  // x [in_rows, in] and y [out_rows, out] hold at least that much, on the plan's device. Puts the work on the device's stream and returns.
  // kShape if the map has another number of groups than the weight.
  Status run(const CudaMapView& map, const CudaBuffer& x, DType x_type, const CudaBuffer& y, DType y_type) const;

  const MapmmCudaKernel& kernel() const { return *kernel_; }
  const std::shared_ptr<const CudaDevice>& device() const { return device_; }
  int64_t in_channels() const { return in_; }
  int64_t out_channels() const { return out_; }
  size_t bytes() const { return tiles_.bytes() + bias_.bytes(); }  // on the device

 private:
  MapmmCudaPlan() = default;
  Status pack(const MapmmOptions& options);

  std::shared_ptr<const CudaDevice> device_;
  const MapmmCudaKernel* kernel_ = nullptr;
  DType values_ = DType::kFloat16;
  int64_t groups_ = 0, in_ = 0, out_ = 0, steps_ = 0, out_blocks_ = 0;
  MapActivation activation_ = MapActivation::kNone;
  CudaBuffer tiles_, bias_;
};

// The CUDA rows of kernels.def; also where this build or machine cannot run them.
std::vector<KernelRow> mapmm_cuda_kernels();

}  // namespace sk

// mapmm on a CUDA device: the weight and the map stay there, x and y are device memory.
#pragma once

#include <memory>
#include <vector>

#include "../../core/kernel.h"
#include "../../core/pairs.h"
#include "../../cuda/device.h"
#include "../mapmm.h"
#include "kernel.h"

namespace sk {

// The pairs of a map on a device, as kernel.h draws them. Immutable.
class CudaMap {
 public:
  static Status create(const std::shared_ptr<const CudaDevice>& device, const PairsView& pairs, std::shared_ptr<const CudaMap>* map);

  int64_t groups() const { return groups_; }
  int64_t in_rows() const { return in_rows_; }
  int64_t out_rows() const { return out_rows_; }
  // [groups][out_rows_padded]: the input row of an output row under a group, or -1.
  const int32_t* rows() const { return rows_.as<int32_t>(); }
  int64_t out_rows_padded() const { return out_rows_padded_; }

 private:
  friend class MapmmCudaPlan;
  CudaMap() = default;

  int64_t groups_ = 0, in_rows_ = 0, out_rows_ = 0, out_rows_padded_ = 0;
  CudaBuffer rows_, starts_, active_;
};

// Immutable. run() may be called from any number of threads at once.
class MapmmCudaPlan {
 public:
  // Weights of one split, not transposed; stored as `values`, float16 or bfloat16.
  static Status create(std::shared_ptr<const CudaDevice> device, const MapmmOptions& options, DType values,
                       std::shared_ptr<const MapmmCudaPlan>* plan);

  // x [in_rows, in] and y [out_rows, out] hold at least that much, on the plan's device. Puts the work on the device's stream and returns.
  // kShape if the map has another number of groups than the weight.
  Status run(const CudaMap& map, const CudaBuffer& x, DType x_type, const CudaBuffer& y, DType y_type) const;

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

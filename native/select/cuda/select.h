// select on a CUDA device: scores and results are device memory.
#pragma once

#include <vector>

#include "../../core/kernel.h"
#include "../../cuda/device.h"
#include "kernel.h"

namespace sk {

// Both put the work on the device's stream and do not wait for it. Pointers of `run` are to device memory of their sizes at least, as the
// caller has checked; rows, columns and capacity may be 0.
Status top_k_on_cuda(const CudaDevice& device, const TopKCudaRun& run);
Status mask_groups_on_cuda(const CudaDevice& device, const GroupsCudaRun& run);

// The CUDA rows of kernels.def; also where this build or machine cannot run them.
std::vector<KernelRow> select_cuda_kernels();

}  // namespace sk

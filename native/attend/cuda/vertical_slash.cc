#include "vertical_slash.h"

namespace sk {

#ifdef SK_CUDA
int launch_vertical_slash(const VerticalSlashCudaRun& run, void* stream);  // kernels.cu

Status vertical_slash_on_cuda(const CudaDevice& device, const VerticalSlashCudaRun& run) {
  const int64_t blocks = (run.queries + int64_t{run.block_queries} - 1) / run.block_queries;
  if (run.sequences * blocks >= int64_t{1} << 31) return Status(Code::kShape, "expected fewer sequences on device 'cuda'");
  if (run.sequences * blocks == 0) return Status();
  return cuda_status(launch_vertical_slash(run, device.stream()), "building lists from lines");
}
#else
Status vertical_slash_on_cuda(const CudaDevice&, const VerticalSlashCudaRun&) { return cuda_status(0, ""); }
#endif

}  // namespace sk

#include "merge.h"

namespace sk {

#ifdef SK_CUDA
int launch_attend_merge(const AttendMergeRun& run, void* stream);  // kernels.cu

Status attend_merge_on_cuda(const CudaDevice& device, const AttendMergeRun& run) {
  if (run.rows >= int64_t{1} << 31) return Status(Code::kShape, "expected fewer rows of results on device 'cuda'");
  if (run.rows == 0) return Status();
  return cuda_status(launch_attend_merge(run, device.stream()), "merging results of attention");
}
#else
Status attend_merge_on_cuda(const CudaDevice&, const AttendMergeRun&) { return cuda_status(0, ""); }
#endif

}  // namespace sk

#include "mapreduce.h"

namespace sk {

#ifdef SK_CUDA
int launch_map_reduce(const MapReduceCudaRun& run, void* stream);  // kernels.cu

Status map_reduce_on_cuda(const CudaDevice& device, const MapReduceCudaRun& run) {
  if (run.map.out_rows == 0) return Status();
  if (run.map.out_rows * ((run.channels + 7) / 8) >= int64_t{1} << 38) return Status(Code::kShape, "expected fewer sites on device 'cuda'");
  return cuda_status(launch_map_reduce(run, device.stream()), "pooling over a map");
}
#else
Status map_reduce_on_cuda(const CudaDevice&, const MapReduceCudaRun&) { return cuda_status(0, ""); }
#endif

}  // namespace sk

// mapreduce on a CUDA device: a map that lies there, x and the result are device memory. No CUDA headers.
#pragma once

#include <cstdint>

#include "../../core/status.h"
#include "../../core/tensor.h"
#include "../../cuda/device.h"

namespace sk {

// x [in rows, channels] and y [out rows, channels] of float32, float16 or bfloat16; sums are float32.
struct MapReduceCudaRun {
  bool max;  // else a sum
  // [groups][out_rows_padded]: the input row of an output row under a group, or -1
  const int32_t* rows;
  int64_t groups, out_rows, out_rows_padded, channels;
  const void* x;
  void* y;
  DType type;
  const float* row;  // [out rows]: least of a maximum, or weight of a sum; null: 1
};

// Puts the work on the device's stream and does not wait for it.
Status map_reduce_on_cuda(const CudaDevice& device, const MapReduceCudaRun& run);

}  // namespace sk

// mapreduce on a CUDA device: a map that lies there, x and the result are device memory. No CUDA headers.
#pragma once

#include <cstdint>

#include "../../core/status.h"
#include "../../core/tensor.h"
#include "../../cuda/device.h"
#include "../../cuda/map_view.h"

namespace sk {

// x [in rows, channels] and y [out rows, channels] of float32, float16 or bfloat16; sums are float32.
struct MapReduceCudaRun {
  bool max;  // else a sum
  CudaMapView map;
  int64_t channels;
  const void* x;
  void* y;
  DType type;
  const float* row;  // [out rows]: least of a maximum, or weight of a sum; null: 1
};

// Puts the work on the device's stream and does not wait for it.
Status map_reduce_on_cuda(const CudaDevice& device, const MapReduceCudaRun& run);

}  // namespace sk

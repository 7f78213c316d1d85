// The CUDA kernel of mapreduce: load eight channels of each input of an output -> add or compare -> store.
//
// Floor: read every pair's row once and write every output once. A thread has eight channels of one output, 16 bytes of most types; groups
// go by in ascending order, so that results do not depend on timing. One kernel serves all element types, by a branch that never diverges.
#include <cuda_runtime.h>

#include "../../cuda/eights.h"
#include "mapreduce.h"

namespace sk {
namespace {

__global__ void reduce_rows(const __grid_constant__ MapReduceCudaRun run) {
  const int64_t eights = (run.channels + 7) / 8, thread = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t position = thread / eights, first = thread % eights * 8;
  if (position >= run.map.out_rows) return;
  const int64_t out = run.map.order[position];
  const float row = run.row ? run.row[out] : 1.0f;
  float sum[8];
#pragma unroll
  for (float& s : sum) s = run.max ? row : 0.0f;
  for (int64_t group = 0; group < run.map.groups; ++group) {
    const int32_t in = run.map.rows[group * run.map.positions + position];
    if (in < 0) continue;
    float x[8] = {};
    add_eight_as(run.type, run.x, in, first, run.channels, x);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum[i] = run.max ? (x[i] > sum[i] || x[i] != x[i] ? x[i] : sum[i]) : sum[i] + x[i];  // NaN spreads
  }
#pragma unroll
  for (float& s : sum) s = run.max ? s : s * row;
  store_eight_as(run.type, run.y, out, first, run.channels, sum);
}

}  // namespace

int launch_map_reduce(const MapReduceCudaRun& run, void* stream) {
  constexpr int kThreads = 256;
  const int64_t threads = run.map.out_rows * ((run.channels + 7) / 8);
  reduce_rows<<<static_cast<unsigned>((threads + kThreads - 1) / kThreads), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(run);
  return cudaGetLastError();
}

}  // namespace sk

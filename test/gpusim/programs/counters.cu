// Kernels whose counters are known beforehand: counters.test.ts compares.
#include <cuda_fp16.h>

#include "fragments.h"
#include "harness.h"

// One warp: 16-byte copies of consecutive addresses, then every port of shared memory with and without conflicts.
__global__ void ports(const int4* in, int* out) {
  __shared__ __align__(128) int4 tile[256];
  const int lane = threadIdx.x;
  for (int i = 0; i < 8; ++i) async_copy16(&tile[i * 32 + lane], in + i * 32 + lane);  // in order: no conflict
  async_commit();
  async_wait<0>();
  __syncwarp();
  uint32_t r[4];
  load_matrix_x4(r, &tile[lane]);      // rows one after the other: no conflict
  load_matrix_x4(r, &tile[lane * 8]);  // 128 bytes apart: the 8 rows of a matrix meet in the same banks, 7 conflicts each
  const int* words = reinterpret_cast<const int*>(tile);
  volatile int* stored = reinterpret_cast<volatile int*>(tile);
  int sum = static_cast<int>(r[0] + r[1] + r[2] + r[3]);
  sum += words[lane];              // no conflict
  sum += words[lane * 2];          // two lanes a bank: 1
  sum += words[lane * 32 % 1024];  // all in one: 31
  sum += words[5];                 // one address for all
  __syncwarp();
  stored[lane * 4] = sum;  // four lanes a bank: 3
  out[lane] = sum;
}
PROGRAM(ports) {
  Device<int4> in(std::vector<int4>(256, make_int4(1, 2, 3, 4)));
  Device<int> out(32);
  ports<<<1, 32>>>(in.data, out.data);
  CUDA(cudaDeviceSynchronize());
}

// Three loads: coalesced floats, floats 32 bytes apart, 16 bytes each; one store of 8 bytes each.
__global__ void traffic(const float* in, float2* out) {
  const int lane = threadIdx.x;
  const float a = in[lane], b = in[lane * 8];
  const float4 c = reinterpret_cast<const float4*>(in)[lane];
  out[lane] = make_float2(a + b, c.x + c.y + c.z + c.w);
}
PROGRAM(traffic) {
  Device<float> in(std::vector<float>(256, 1.0f));
  Device<float2> out(32);
  traffic<<<1, 32>>>(in.data, out.data);
  CUDA(cudaDeviceSynchronize());
}

// A loop in a loop, in PTX as it stands: 5 times { 7 times { mma, add, setp, bra }, add, setp, bra }.
__global__ void nested(float* out) {
  const uint32_t a[4] = {}, b[2] = {};
  float c[4] = {};
  asm volatile(
      "{ .reg .pred p; .reg .b32 i, k; mov.u32 k, 0;\n"
      "outer: mov.u32 i, 0;\n"
      "inner: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      "add.u32 i, i, 1; setp.lt.u32 p, i, 7; @p bra inner;\n"
      "add.u32 k, k, 1; setp.lt.u32 p, k, 5; @p bra outer; }"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  out[threadIdx.x] = c[0];
}
PROGRAM(nested) {
  Device<float> out(32);
  nested<<<1, 32>>>(out.data);
  CUDA(cudaDeviceSynchronize());
}

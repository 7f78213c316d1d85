// Loads, stores and atomics of all widths.
#include <cuda_fp16.h>

#include "harness.h"

// Atomics of all widths and operations: every thread of several blocks at the same few places.
__global__ void atomics(int32_t* i32, uint32_t* u32, unsigned long long* u64, float* f32, double* f64, __half2* h2, unsigned short* u16) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&i32[0], -t), atomicMin(&i32[1], -t), atomicMax(&i32[2], t % 77), atomicSub(&i32[3], 2);
  atomicInc(&u32[0], 9), atomicDec(&u32[1], 6), atomicAnd(&u32[2], ~(1u << t % 20)), atomicOr(&u32[3], 1u << t % 32), atomicXor(&u32[4], t);
  atomicAdd(&u64[0], 1ull << 33), atomicMax(&u64[1], (unsigned long long)t << 40), atomicXor(&u64[2], 1ull << t % 64);
  atomicAdd(f32, 0.25f), atomicAdd(f64, 0.125), atomicAdd(h2, __floats2half2_rn(1.0f, t % 2 ? 1.0f : 0.0f));
  unsigned short seen = *u16;
  for (;;) {
    const unsigned short old = atomicCAS(u16, seen, static_cast<unsigned short>(seen + 1));
    if (old == seen) break;
    seen = old;
  }
  __shared__ unsigned long long best;
  if (threadIdx.x == 0) best = 0;
  __syncthreads();
  atomicMax(&best, static_cast<unsigned long long>(t));
  __syncthreads();
  if (threadIdx.x == 0) atomicExch(&u64[3 + blockIdx.x], best);
}
PROGRAM(atomics_of_all_widths) {
  const int n = 4 * 96;
  Device<int32_t> i32(std::vector<int32_t>(4, 0));
  Device<uint32_t> u32(std::vector<uint32_t>{0, 0, ~0u, 0, 0});
  Device<unsigned long long> u64(std::vector<unsigned long long>(7, 0));
  Device<float> f32(std::vector<float>{0});
  Device<double> f64(std::vector<double>{0});
  Device<__half2> h2(std::vector<__half2>(1, __floats2half2_rn(0, 0)));
  Device<unsigned short> u16(std::vector<unsigned short>{7});
  atomics<<<4, 96>>>(i32.data, u32.data, u64.data, f32.data, f64.data, h2.data, u16.data);
  CUDA(cudaDeviceSynchronize());
  const auto a = i32.host();
  EXPECT(a[0] == -n * (n - 1) / 2 && a[1] == -(n - 1) && a[2] == 76 && a[3] == -2 * n);
  uint32_t inc = 0, dec = 0, x = 0;
  for (int t = 0; t < n; ++t) inc = inc >= 9 ? 0 : inc + 1, dec = dec == 0 || dec > 6 ? 6 : dec - 1, x ^= static_cast<uint32_t>(t);
  const auto b = u32.host();
  EXPECT(b[0] == inc && b[1] == dec && b[2] == ~0xfffffu && b[3] == ~0u && b[4] == x);
  const auto c = u64.host();
  EXPECT(c[0] == static_cast<unsigned long long>(n) << 33 && c[1] == static_cast<unsigned long long>(n - 1) << 40 && c[2] == 0);
  for (unsigned k = 0; k < 4; ++k) EXPECT(c[3 + k] == 96 * k + 95);
  EXPECT(f32.host()[0] == n * 0.25f && f64.host()[0] == n * 0.125 && u16.host()[0] == 7 + n);
  EXPECT(__low2float(h2.host()[0]) == n && __high2float(h2.host()[0]) == n / 2);
}

// Loads and stores of all widths, signs and vectors; generic addresses of every space.
__global__ void widths(const int8_t* in, int64_t* out, short4* vectors) {
  __shared__ int8_t s[64];
  int8_t l[64];
  for (int i = threadIdx.x; i < 64; i += blockDim.x) s[i] = in[i];
  for (int i = 0; i < 64; ++i) l[i] = in[(i + threadIdx.x) % 64];
  __syncthreads();
  const int8_t* where = threadIdx.x % 3 == 0 ? in : threadIdx.x % 3 == 1 ? static_cast<const int8_t*>(s) : static_cast<const int8_t*>(l);
  out[threadIdx.x * 4] = where[threadIdx.x];
  out[threadIdx.x * 4 + 1] = reinterpret_cast<const uint8_t*>(where)[threadIdx.x];
  out[threadIdx.x * 4 + 2] = reinterpret_cast<const int16_t*>(in)[threadIdx.x / 2];
  out[threadIdx.x * 4 + 3] = reinterpret_cast<const int64_t*>(in)[threadIdx.x % 8];
  vectors[threadIdx.x] = reinterpret_cast<const short4*>(s)[threadIdx.x % 8];
}
PROGRAM(loads_and_stores) {
  std::vector<int8_t> in(64);
  for (int i = 0; i < 64; ++i) in[i] = static_cast<int8_t>(i * 37 + 100);
  Device<int8_t> din(in);
  Device<int64_t> out(32 * 4);
  Device<short4> vectors(32);
  widths<<<1, 32>>>(din.data, out.data, vectors.data);
  CUDA(cudaDeviceSynchronize());
  const auto got = out.host();
  const auto v = vectors.host();
  for (int t = 0; t < 32; ++t) {
    const int8_t want = t % 3 == 2 ? in[2 * t % 64] : in[t];
    int16_t word;
    int64_t quad;
    std::memcpy(&word, &in[t / 2 * 2], 2);
    std::memcpy(&quad, &in[t % 8 * 8], 8);
    EXPECT(got[4 * t] == want && got[4 * t + 1] == static_cast<uint8_t>(want) && got[4 * t + 2] == word && got[4 * t + 3] == quad);
    EXPECT(std::memcmp(&v[t], &in[t % 8 * 8], 8) == 0);
  }
}

// Three kernels whose speed on the simulator bench.ts reports: each prints its name and the seconds of its second launch.
#include <cuda_fp16.h>

#include <chrono>

#include "fragments.h"
#include "harness.h"

namespace {

template <class Launch>
void timed(const char* name, Launch launch) {
  launch();  // decodes
  CUDA(cudaDeviceSynchronize());
  const auto start = std::chrono::steady_clock::now();
  launch();
  CUDA(cudaDeviceSynchronize());
  std::printf("seconds %s %.6f\n", name, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

}  // namespace

__global__ void hash_rounds(uint32_t* out, int rounds) {
  uint32_t h = blockIdx.x * blockDim.x + threadIdx.x;
  for (int i = 0; i < rounds; ++i) {
    h ^= h >> 16;
    h *= 0x7feb352du;
    h ^= h >> 15;
    h = h * 0x846ca68bu + i;
    h ^= __funnelshift_l(h, h, 7) & 0x55aa55aau;
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = h;
}
PROGRAM(integer) {
  Device<uint32_t> out(16 * 256);
  timed("integer", [&] { hash_rounds<<<16, 256>>>(out.data, 2000); });
}

// Loads and stores of global and shared memory, with all checks.
__global__ void smooth(const float* in, float* out, int n, int rounds) {
  __shared__ float tile[256 + 2];
  const int i = blockIdx.x * 256 + threadIdx.x;
  for (int r = 0; r < rounds; ++r) {
    const int from = (i + r * 64) % n;
    tile[threadIdx.x + 1] = in[from];
    if (threadIdx.x == 0) tile[0] = tile[257] = 0;
    __syncthreads();
    out[i] = tile[threadIdx.x] + tile[threadIdx.x + 1] + tile[threadIdx.x + 2];
    __syncthreads();
  }
}
PROGRAM(memory) {
  const int n = 16 * 256;
  Device<float> in(std::vector<float>(n, 1.0f)), out(n);
  timed("memory", [&] { smooth<<<16, 256>>>(in.data, out.data, n, 400); });
}

// Y^T = W X^T, W 512 x 1024 in 2:4, X 512 x 1024, half: 64 x 64 tiles, words of 32 x 32 blocks, two stages.
__global__ void __launch_bounds__(128) gemm_sparse(const __half* values, const uint32_t* words, const __half* x, float* y, int in) {
  __shared__ __align__(16) __half sw[2][64][32 + 8], sx[2][64][64 + 8];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, half = warp / 2, side = warp % 2, out0 = blockIdx.y * 64,
            token0 = blockIdx.x * 64, outs = gridDim.y * 64;
  const auto fetch = [&](int stage, int k0) {
    for (int i = threadIdx.x; i < 256; i += 128)
      async_copy16(&sw[stage][i / 4][i % 4 * 8], values + (size_t)(out0 + i / 4) * (in / 2) + k0 / 2 + i % 4 * 8);
    for (int i = threadIdx.x; i < 512; i += 128)
      async_copy16(&sx[stage][i / 8][i % 8 * 8], x + (size_t)(token0 + i / 8) * in + k0 + i % 8 * 8);
    async_commit();
  };
  float acc[2][4][4] = {};
  fetch(0, 0);
  for (int k0 = 0, stage = 0; k0 < in; k0 += 64, stage ^= 1) {
    if (k0 + 64 < in)
      fetch(stage ^ 1, k0 + 64), async_wait<1>();
    else
      async_wait<0>();
    __syncthreads();
    for (int kk = 0; kk < 64; kk += 32) {
      const uint32_t metadata = words[((size_t)(out0 / 32 + half) * (in / 32) + (k0 + kk) / 32) * 32 + lane];
      uint32_t a[2][4];
      for (int i = 0; i < 2; ++i) load_matrix_x4(a[i], &sw[stage][half * 32 + i * 16 + lane % 16][kk / 2 + lane / 16 * 8]);
      for (int j = 0; j < 4; ++j) {
        uint32_t b[4];
        load_matrix_x4(b, &sx[stage][side * 32 + j * 8 + lane % 8][kk + lane / 8 * 8]);
        mma_sp_m16n8k32_f16<0>(acc[0][j], a[0], b, metadata);
        mma_sp_m16n8k32_f16<1>(acc[1][j], a[1], b, metadata);
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 4; ++j)
      for (int e = 0; e < 4; ++e)
        y[(size_t)(token0 + side * 32 + j * 8 + lane % 4 * 2 + (e & 1)) * outs + out0 + half * 32 + i * 16 + lane / 4 + 8 * (e >> 1)] =
            acc[i][j][e];
}
PROGRAM(sparse_gemm_512x512x1024) {
  Device<__half> values(std::vector<__half>(512 * 512, __float2half(1))), x(std::vector<__half>(512 * 1024, __float2half(2)));
  Device<uint32_t> words(std::vector<uint32_t>(512 / 32 * 1024 / 32 * 32, 0xeeeeeeee));
  Device<float> y(512 * 512);
  timed("sparse_gemm_512x512x1024", [&] { gemm_sparse<<<dim3(8, 8), 128>>>(values.data, words.data, x.data, y.data, 1024); });
  for (const float v : y.host()) EXPECT(v == 1024);
}

// Parallel algorithms as textbooks have them, each against the same computation on the host.
#include <numeric>

#include "harness.h"

__global__ void saxpy(int n, float a, const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
PROGRAM(saxpy) {
  const int n = 1003;
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i) x[i] = 0.5f * i, y[i] = 3.0f - i;
  Device<float> dx(x), dy(y);
  saxpy<<<(n + 127) / 128, 128>>>(n, 2.5f, dx.data, dy.data);
  CUDA(cudaDeviceSynchronize());
  const auto out = dy.host();
  for (int i = 0; i < n; ++i) EXPECT(out[i] == std::fma(2.5f, x[i], y[i]));
}

__global__ void block_sum(const int* in, int n, int* out) {
  __shared__ int part[256];
  int sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += in[i];
  part[threadIdx.x] = sum;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) atomicAdd(out, part[0]);
}
PROGRAM(reduction_in_shared_memory) {
  std::vector<int> in(5000);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i * 37 % 101) - 50;
  Device<int> din(in), sum(std::vector<int>{0});
  block_sum<<<7, 256>>>(din.data, 5000, sum.data);
  EXPECT(sum.host()[0] == std::accumulate(in.begin(), in.end(), 0));
}

__global__ void scan_block(const int* in, int* out, int n) {
  __shared__ int sums[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int v = threadIdx.x < n ? in[threadIdx.x] : 0;
  for (int d = 1; d < 32; d *= 2) {
    const int up = __shfl_up_sync(0xffffffff, v, d);
    if (lane >= d) v += up;
  }
  if (lane == 31) sums[warp] = v;
  __syncthreads();
  if (warp == 0) {
    int s = lane < blockDim.x / 32 ? sums[lane] : 0;
    for (int d = 1; d < 32; d *= 2) {
      const int up = __shfl_up_sync(0xffffffff, s, d);
      if (lane >= d) s += up;
    }
    if (lane < blockDim.x / 32) sums[lane] = s;
  }
  __syncthreads();
  if (warp > 0) v += sums[warp - 1];
  if (threadIdx.x < n) out[threadIdx.x] = v;
}
PROGRAM(scan) {
  const int n = 777;
  std::vector<int> in(n), want(n);
  for (int i = 0; i < n; ++i) in[i] = i % 13 - 4;
  std::partial_sum(in.begin(), in.end(), want.begin());
  Device<int> din(in), out(n);
  scan_block<<<1, 800>>>(din.data, out.data, n);
  EXPECT(out.host() == want);
}

__global__ void histogram(const uint8_t* in, int n, unsigned* bins) {
  __shared__ unsigned mine[64];
  if (threadIdx.x < 64) mine[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&mine[in[i] % 64], 1);
  __syncthreads();
  if (threadIdx.x < 64) atomicAdd(&bins[threadIdx.x], mine[threadIdx.x]);
}
PROGRAM(histogram_with_atomics) {
  std::vector<uint8_t> in(9999);
  uint64_t seed = 1;
  std::vector<unsigned> want(64);
  for (auto& v : in) v = static_cast<uint8_t>(next_random(seed)), ++want[v % 64];
  Device<uint8_t> din(in);
  Device<unsigned> bins(std::vector<unsigned>(64, 0));
  histogram<<<5, 96>>>(din.data, 9999, bins.data);
  EXPECT(bins.host() == want);
}

__global__ void transpose(const float* in, float* out, int rows, int columns) {
  __shared__ float tile[16][17];
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  if (x < columns && y < rows) tile[threadIdx.y][threadIdx.x] = in[y * columns + x];
  __syncthreads();
  x = blockIdx.y * 16 + threadIdx.x, y = blockIdx.x * 16 + threadIdx.y;
  if (x < rows && y < columns) out[y * rows + x] = tile[threadIdx.x][threadIdx.y];
}
PROGRAM(transpose_by_tiles) {
  const int rows = 45, columns = 70;
  std::vector<float> in(rows * columns);
  std::iota(in.begin(), in.end(), 0.0f);
  Device<float> din(in), out(in.size());
  transpose<<<dim3(5, 3), dim3(16, 16)>>>(din.data, out.data, rows, columns);
  const auto got = out.host();
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c) EXPECT(got[c * rows + r] == in[r * columns + c]);
}

__global__ void tiled_gemm(const float* a, const float* b, float* c, int n) {
  extern __shared__ float tiles[];
  float *ta = tiles, *tb = tiles + 256;
  const int row = blockIdx.y * 16 + threadIdx.y, column = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    ta[threadIdx.y * 16 + threadIdx.x] = a[row * n + k + threadIdx.x];
    tb[threadIdx.y * 16 + threadIdx.x] = b[(k + threadIdx.y) * n + column];
    __syncthreads();
    for (int i = 0; i < 16; ++i) sum += ta[threadIdx.y * 16 + i] * tb[i * 16 + threadIdx.x];
    __syncthreads();
  }
  c[row * n + column] = sum;
}
PROGRAM(tiled_gemm_in_dynamic_shared_memory) {
  const int n = 48;
  std::vector<float> a(n * n), b(n * n);
  for (int i = 0; i < n * n; ++i) a[i] = static_cast<float>(i % 7 - 3), b[i] = static_cast<float>(i % 5 - 2);
  Device<float> da(a), db(b), dc(n * n);
  tiled_gemm<<<dim3(3, 3), dim3(16, 16), 2 * 256 * sizeof(float)>>>(da.data, db.data, dc.data, n);
  const auto c = dc.host();
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      float sum = 0;
      for (int k = 0; k < n; ++k) sum += a[i * n + k] * b[k * n + j];
      EXPECT(c[i * n + j] == sum);
    }
}

__constant__ float coefficients[9];
__constant__ int table_with_values[4] = {7, -8, 9, 1 << 30};
__global__ void convolve(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float sum = static_cast<float>(table_with_values[i & 1]);
  for (int k = -4; k <= 4; ++k)
    if (i + k >= 0 && i + k < n) sum += coefficients[k + 4] * in[i + k];
  out[i] = sum;
}
PROGRAM(constant_memory) {
  const int n = 300;
  std::vector<float> in(n), w{1, 2, 3, 4, 5, 4, 3, 2, 1};
  for (int i = 0; i < n; ++i) in[i] = static_cast<float>(i % 11);
  CUDA(cudaMemcpyToSymbol(coefficients, w.data(), 36));
  Device<float> din(in), out(n);
  convolve<<<3, 128>>>(din.data, out.data, n);
  const auto got = out.host();
  for (int i = 0; i < n; ++i) {
    float sum = i & 1 ? -8.0f : 7.0f;
    for (int k = -4; k <= 4; ++k)
      if (i + k >= 0 && i + k < n) sum += w[k + 4] * in[i + k];
    EXPECT(got[i] == sum);
  }
  int back[4];
  CUDA(cudaMemcpyFromSymbol(back, table_with_values, 16));
  EXPECT(back[3] == 1 << 30);
}

__global__ void mandelbrot(unsigned char* out, int w, int h) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
  if (x >= w) return;
  const double cr = -2.0 + 3.0 * x / w, ci = -1.0 + 2.0 * y / h;
  double zr = 0, zi = 0;
  int i = 0;
  for (; i < 60 && zr * zr + zi * zi < 4; ++i) {
    const double t = fma(zr, zr, -zi * zi) + cr;
    zi = fma(2 * zr, zi, ci);
    zr = t;
  }
  out[y * w + x] = static_cast<unsigned char>(i);
}
PROGRAM(double_precision_with_divergence) {
  const int w = 70, h = 12;
  Device<unsigned char> out(w * h);
  mandelbrot<<<dim3(3, h), 32>>>(out.data, w, h);
  const auto got = out.host();
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      const double cr = -2.0 + 3.0 * x / w, ci = -1.0 + 2.0 * y / h;
      double zr = 0, zi = 0;
      int i = 0;
      for (; i < 60 && std::fma(zr, zr, zi * zi) < 4; ++i) {
        const double t = std::fma(zr, zr, -zi * zi) + cr;
        zi = std::fma(2 * zr, zi, ci);
        zr = t;
      }
      EXPECT(got[y * w + x] == i);
    }
}

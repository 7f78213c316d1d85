// Small programs of many kinds, each against the same computation on the host.
#include <algorithm>
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

__global__ void warp_sum(const float* in, float* out) {
  float v = in[blockIdx.x * 32 + threadIdx.x];
  for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(0xffffffff, v, d);
  if (threadIdx.x == 0) out[blockIdx.x] = v;
}
PROGRAM(reduction_by_shuffles) {
  std::vector<float> in(320);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i % 17);
  Device<float> din(in), out(10);
  warp_sum<<<10, 32>>>(din.data, out.data);
  const auto sums = out.host();
  for (int b = 0; b < 10; ++b) EXPECT(sums[b] == std::accumulate(in.begin() + 32 * b, in.begin() + 32 * b + 32, 0.0f));
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

__global__ void collatz(const unsigned* in, int* steps, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned long long v = in[i];
  int count = 0;
  while (v != 1) {
    if (v % 2)
      v = 3 * v + 1;
    else
      v /= 2;
    ++count;
  }
  steps[i] = count;
}
PROGRAM(divergent_loops) {
  std::vector<unsigned> in(200);
  std::iota(in.begin(), in.end(), 1u);
  Device<unsigned> din(in);
  Device<int> out(200);
  collatz<<<2, 100>>>(din.data, out.data, 200);
  const auto got = out.host();
  for (unsigned i = 0; i < 200; ++i) {
    unsigned long long v = in[i];
    int count = 0;
    for (; v != 1; ++count) v = v % 2 ? 3 * v + 1 : v / 2;
    EXPECT(got[i] == count);
  }
}

__device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
__global__ void recursion(int* out) { out[threadIdx.x] = fibonacci(threadIdx.x % 12); }
PROGRAM(recursion) {
  Device<int> out(64);
  recursion<<<1, 64>>>(out.data);
  const auto got = out.host();
  const int fib[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
  for (int i = 0; i < 64; ++i) EXPECT(got[i] == fib[i % 12]);
}

typedef int (*Operation)(int, int);
__device__ int plus(int a, int b) { return a + b; }
__device__ int times(int a, int b) { return a * b; }
__device__ int minus(int a, int b) { return a - b; }
__device__ Operation operations[3] = {plus, times, minus};
__global__ void function_pointers(int* out) { out[threadIdx.x] = operations[threadIdx.x % 3](threadIdx.x, 5); }
PROGRAM(function_pointers) {
  Device<int> out(96);
  function_pointers<<<1, 96>>>(out.data);
  const auto got = out.host();
  for (int i = 0; i < 96; ++i) EXPECT(got[i] == (i % 3 == 0 ? i + 5 : i % 3 == 1 ? i * 5 : i - 5));
}

struct Shape {
  __device__ virtual float area() const = 0;
};
struct Square : Shape {
  float side;
  __device__ explicit Square(float s) : side(s) {}
  __device__ float area() const override { return side * side; }
};
struct Circle : Shape {
  float r;
  __device__ explicit Circle(float r) : r(r) {}
  __device__ float area() const override { return 3 * r * r; }
};
__global__ void virtual_calls(float* out) {
  Square square(static_cast<float>(threadIdx.x));
  Circle circle(static_cast<float>(threadIdx.x));
  const Shape* shape = threadIdx.x % 2 ? static_cast<const Shape*>(&square) : &circle;
  out[threadIdx.x] = shape->area();
}
PROGRAM(virtual_functions) {
  Device<float> out(40);
  virtual_calls<<<1, 40>>>(out.data);
  const auto got = out.host();
  for (int i = 0; i < 40; ++i) EXPECT(got[i] == static_cast<float>(i % 2 ? i * i : 3 * i * i));
}

__global__ void switches(const int* in, int* out) {
  int v = in[threadIdx.x];
  switch (v) {
    case 0: v = 100; break;
    case 1: v = out[threadIdx.x] + 3; break;
    case 2: v = v * v * 7; break;
    case 3: v = ~v;  // falls through
    case 4: v -= 9; break;
    case 5: v = __popc(v * 977); break;
    case 6: v = v << 9; break;
    case 7: v = 0; break;
    default: v = -1;
  }
  out[threadIdx.x] = v;
}
PROGRAM(switch_tables) {
  std::vector<int> in(64), out(64, 40);
  for (int i = 0; i < 64; ++i) in[i] = i % 9;
  Device<int> din(in), dout(out);
  switches<<<1, 64>>>(din.data, dout.data);
  const auto got = dout.host();
  const int want[] = {100, 43, 28, -13, -5, __builtin_popcount(5 * 977), 6 << 9, 0, -1};
  for (int i = 0; i < 64; ++i) EXPECT(got[i] == want[i % 9]);
}

__global__ void sort_in_local_memory(int* data) {
  int mine[16];
  for (int i = 0; i < 16; ++i) mine[i] = data[threadIdx.x * 16 + i];
  for (int i = 1; i < 16; ++i) {
    const int v = mine[i];
    int k = i;
    for (; k > 0 && mine[k - 1] > v; --k) mine[k] = mine[k - 1];
    mine[k] = v;
  }
  for (int i = 0; i < 16; ++i) data[threadIdx.x * 16 + i] = mine[i];
}
PROGRAM(local_arrays) {
  std::vector<int> data(50 * 16);
  uint64_t seed = 3;
  for (int& v : data) v = static_cast<int>(next_random(seed) % 1000);
  Device<int> d(data);
  sort_in_local_memory<<<1, 50>>>(d.data);
  const auto got = d.host();
  for (int t = 0; t < 50; ++t) {
    std::sort(data.begin() + 16 * t, data.begin() + 16 * t + 16);
    EXPECT(std::equal(data.begin() + 16 * t, data.begin() + 16 * t + 16, got.begin() + 16 * t));
  }
}

__global__ void compact(const int* in, int n, int* out, int* count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const bool keep = i < n && in[i] % 3 == 0;
  const unsigned mask = __ballot_sync(0xffffffff, keep);
  const int lane = threadIdx.x % 32;
  int base = 0;
  if (lane == 0) base = atomicAdd(count, __popc(mask));
  base = __shfl_sync(0xffffffff, base, 0);
  if (keep) out[base + __popc(mask & ((1u << lane) - 1))] = in[i];
}
PROGRAM(ballot_compaction) {
  const int n = 1000;
  std::vector<int> in(n), want;
  uint64_t seed = 5;
  for (int& v : in) {
    v = static_cast<int>(next_random(seed) % 10000);
    if (v % 3 == 0) want.push_back(v);
  }
  Device<int> din(in), out(n), count(std::vector<int>{0});
  compact<<<8, 128>>>(din.data, n, out.data, count.data);
  EXPECT(count.host()[0] == static_cast<int>(want.size()));
  std::vector<int> got(want.size());
  CUDA(cudaMemcpy(got.data(), out.data, want.size() * 4, cudaMemcpyDeviceToHost));
  std::sort(got.begin(), got.end());
  std::sort(want.begin(), want.end());
  EXPECT(got == want);
}

__global__ void warp_votes(int* out) {
  const int lane = threadIdx.x;
  const unsigned all = 0xffffffff;
  out[lane] = (__all_sync(all, lane < 32) << 0) | (__any_sync(all, lane == 7) << 1) | (__all_sync(all, lane != 7) << 2) |
              ((__match_any_sync(all, lane / 4) == 0xfu << lane / 4 * 4) << 3) | ((__reduce_add_sync(all, lane) == 496) << 4) |
              ((__reduce_max_sync(all, lane ^ 5) == 31) << 5) | ((__reduce_min_sync(all, -lane) == -31) << 6) |
              ((__reduce_xor_sync(all, 1u << lane) == all) << 7);
  int same;
  __match_all_sync(all, 3, &same);
  out[lane] |= same << 8;
  __match_all_sync(all, lane / 31, &same);
  out[lane] |= same << 9;
  if (lane < 8) out[lane] |= (__shfl_xor_sync(0xff, lane, 3) == (lane ^ 3)) << 10;
  __syncwarp();
}
PROGRAM(votes_and_matches) {
  Device<int> out(32);
  warp_votes<<<1, 32>>>(out.data);
  const auto got = out.host();
  for (int i = 0; i < 32; ++i) EXPECT(got[i] == (0b0111111011 & ~4 & ~512 | 0b11111000 | 1 | 2 | 256 | (i < 8 ? 1024 : 0)));
}

// Lanes of one warp wait for each other: works with independent thread scheduling only.
__global__ void lock_by_lanes(int* lock, int* counter) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      *reinterpret_cast<volatile int*>(counter) = *reinterpret_cast<volatile int*>(counter) + 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}
__global__ void handover(int* out) {
  __shared__ volatile int flag;
  __shared__ volatile int value;
  if (threadIdx.x == 0) flag = 0;
  __syncthreads();
  if (threadIdx.x == 5) {
    while (flag == 0) {
    }
    out[0] = value;
  } else if (threadIdx.x == 20) {
    value = 42;
    __threadfence_block();
    flag = 1;
  }
}
PROGRAM(independent_thread_scheduling) {
  Device<int> lock(std::vector<int>{0}), counter(std::vector<int>{0}), out(1);
  lock_by_lanes<<<4, 64>>>(lock.data, counter.data);
  EXPECT(counter.host()[0] == 256);
  handover<<<1, 32>>>(out.data);
  EXPECT(out.host()[0] == 42);
}

__global__ void named_barriers(int* out) {
  __shared__ int box[64];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (warp < 2) {  // warp 0 fills, warp 1 reads
    if (warp == 0) {
      box[lane] = lane * 3;
      asm volatile("barrier.cta.arrive.aligned 1, 64;" ::: "memory");
    } else {
      asm volatile("barrier.cta.sync.aligned 1, 64;" ::: "memory");
      out[lane] = box[31 - lane];
    }
  } else {
    box[32 + lane] = lane;
    asm volatile("bar.sync 2, 32;" ::: "memory");
    out[32 + lane] = box[32 + (lane + 1) % 32];
  }
  const int odd = __syncthreads_count(threadIdx.x & 1), all = __syncthreads_and(threadIdx.x < 96),
            any = __syncthreads_or(threadIdx.x == 500);
  if (threadIdx.x == 0) out[64] = odd * 100 + all * 10 + any;
}
PROGRAM(named_barriers_and_reductions) {
  Device<int> out(65);
  named_barriers<<<1, 96>>>(out.data);
  const auto got = out.host();
  for (int i = 0; i < 32; ++i) EXPECT(got[i] == (31 - i) * 3 && got[32 + i] == (i + 1) % 32);
  EXPECT(got[64] == 4810);
}

__managed__ int managed_counter;
__device__ double device_sum;
__global__ void add_managed(const double* x, int n) {
  atomicAdd(&managed_counter, 1);
  for (int i = threadIdx.x; i < n; i += blockDim.x) atomicAdd(&device_sum, x[i]);
}
PROGRAM(managed_memory_and_variables) {
  double* x;
  CUDA(cudaMallocManaged(&x, 100 * sizeof(double)));
  for (int i = 0; i < 100; ++i) x[i] = i * 0.25;
  managed_counter = 5;
  const double zero = 0;
  CUDA(cudaMemcpyToSymbol(device_sum, &zero, 8));
  add_managed<<<1, 33>>>(x, 100);
  CUDA(cudaDeviceSynchronize());
  EXPECT(managed_counter == 38);
  double sum;
  CUDA(cudaMemcpyFromSymbol(&sum, device_sum, 8));
  EXPECT(sum == 4950 * 0.25);
  void* address;
  size_t bytes;
  CUDA(cudaGetSymbolAddress(&address, device_sum));
  CUDA(cudaGetSymbolSize(&bytes, device_sum));
  EXPECT(address && bytes == 8);
  CUDA(cudaFree(x));
}

__global__ void scale(float* x, int n, float by) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= by;
}
PROGRAM(streams_and_events) {
  const int n = 256;
  float *host, *device;
  CUDA(cudaMallocHost(&host, n * 4));
  CUDA(cudaMallocAsync(&device, n * 4, 0));
  for (int i = 0; i < n; ++i) host[i] = static_cast<float>(i);
  cudaStream_t one, two;
  CUDA(cudaStreamCreate(&one));
  CUDA(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
  cudaEvent_t start, half, end;
  CUDA(cudaEventCreate(&start));
  CUDA(cudaEventCreate(&half));
  CUDA(cudaEventCreate(&end));
  CUDA(cudaEventRecord(start, one));
  CUDA(cudaMemcpyAsync(device, host, n * 4, cudaMemcpyHostToDevice, one));
  scale<<<2, 128, 0, one>>>(device, n, 2);
  CUDA(cudaEventRecord(half, one));
  CUDA(cudaStreamWaitEvent(two, half, 0));
  scale<<<2, 128, 0, two>>>(device, n, 10);
  CUDA(cudaMemcpyAsync(host, device, n * 4, cudaMemcpyDeviceToHost, two));
  static int called = 0;
  CUDA(cudaLaunchHostFunc(two, [](void* p) { ++*static_cast<int*>(p); }, &called));
  CUDA(cudaEventRecord(end, two));
  CUDA(cudaStreamSynchronize(two));
  CUDA(cudaEventQuery(end));
  float ms = -1;
  CUDA(cudaEventElapsedTime(&ms, start, end));
  EXPECT(ms >= 0 && called == 1);
  for (int i = 0; i < n; ++i) EXPECT(host[i] == 20.0f * i);
  EXPECT(cudaStreamDestroy(one) == cudaSuccess && cudaStreamDestroy(two) == cudaSuccess);
  EXPECT(cudaStreamSynchronize(one) == cudaErrorInvalidResourceHandle && cudaGetLastError() == cudaErrorInvalidResourceHandle);
  CUDA(cudaFreeAsync(device, 0));
  CUDA(cudaFreeHost(host));
}

__global__ void stencil_2d(const float* in, size_t pitch, float* out, size_t out_pitch, int w, int h) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x == 0 || y == 0 || x >= w - 1 || y >= h - 1) return;
  const auto at = [&](int dx, int dy) {
    return *reinterpret_cast<const float*>(reinterpret_cast<const char*>(in) + (y + dy) * pitch + (x + dx) * 4);
  };
  *reinterpret_cast<float*>(reinterpret_cast<char*>(out) + y * out_pitch + x * 4) =
      at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1) - 4 * at(0, 0);
}
PROGRAM(pitched_memory) {
  const int w = 37, h = 21;
  std::vector<float> in(w * h), got(w * h);
  for (int i = 0; i < w * h; ++i) in[i] = static_cast<float>(i * i % 97);
  float *a, *b;
  size_t pa, pb;
  CUDA(cudaMallocPitch(&a, &pa, w * 4, h));
  CUDA(cudaMallocPitch(&b, &pb, w * 4, h));
  CUDA(cudaMemset2D(b, pb, 0, w * 4, h));
  CUDA(cudaMemcpy2D(a, pa, in.data(), w * 4, w * 4, h, cudaMemcpyHostToDevice));
  stencil_2d<<<dim3(2, 3), dim3(32, 8)>>>(a, pa, b, pb, w, h);
  CUDA(cudaMemcpy2D(got.data(), w * 4, b, pb, w * 4, h, cudaMemcpyDeviceToHost));
  for (int y = 1; y < h - 1; ++y)
    for (int x = 1; x < w - 1; ++x)
      EXPECT(got[y * w + x] == in[y * w + x - 1] + in[y * w + x + 1] + in[(y - 1) * w + x] + in[(y + 1) * w + x] - 4 * in[y * w + x]);
  CUDA(cudaFree(a));
  CUDA(cudaFree(b));
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

__global__ void math_functions(const float* in, float* out) {
  const float x = in[threadIdx.x];
  float* o = out + threadIdx.x * 12;
  o[0] = sinf(x), o[1] = cosf(x), o[2] = expf(x), o[3] = logf(fabsf(x)), o[4] = sqrtf(fabsf(x)), o[5] = tanhf(x);
  o[6] = powf(fabsf(x), 1.5f), o[7] = erff(x), o[8] = x / 3.0f, o[9] = floorf(x), o[10] = fmodf(x, 0.7f),
  o[11] = static_cast<float>(sin(static_cast<double>(x)));
}
PROGRAM(math_library) {
  std::vector<float> in{0.5f, -1.25f, 3.0f, 100.5f, -1e-3f, 7e4f, 12.0f, -30.0f};
  Device<float> din(in), out(in.size() * 12);
  math_functions<<<1, static_cast<unsigned>(in.size())>>>(din.data, out.data);
  const auto got = out.host();
  for (size_t i = 0; i < in.size(); ++i) {
    const float x = in[i], *o = &got[i * 12];
    const double want[] = {std::sin((double)x),
                           std::cos((double)x),
                           std::exp((double)x),
                           std::log(std::fabs((double)x)),
                           std::sqrt(std::fabs((double)x)),
                           std::tanh((double)x),
                           std::pow(std::fabs((double)x), 1.5),
                           std::erf((double)x),
                           x / 3.0f,
                           std::floor(x),
                           std::fmod(x, 0.7f),
                           std::sin((double)x)};
    for (int k = 0; k < 12; ++k) {
      const float w = static_cast<float>(want[k]);
      EXPECT(o[k] == w || std::fabs(o[k] - w) <= 4e-6f * std::fabs(w) + 1e-7f);
    }
  }
}

__global__ void print_things() {
  if (threadIdx.x < 2) printf("<%d %5.2f %s %c %lld %x>\n", threadIdx.x, 1.5 * threadIdx.x, "text", 'z', 1ll << 40, 255);
}
PROGRAM(device_printf) {
  print_things<<<1, 4>>>();
  CUDA(cudaDeviceSynchronize());
}

__global__ void device_heap(int* out) {
  int* mine = static_cast<int*>(malloc(40));
  for (int i = 0; i < 10; ++i) mine[i] = i * threadIdx.x;
  int sum = 0;
  for (int i = 0; i < 10; ++i) sum += mine[i];
  free(mine);
  out[threadIdx.x] = sum;
}
PROGRAM(device_malloc) {
  Device<int> out(40);
  device_heap<<<1, 40>>>(out.data);
  const auto got = out.host();
  for (int i = 0; i < 40; ++i) EXPECT(got[i] == 45 * i);
}

struct Big {
  int values[20];
  double scale;
};
__global__ void big_parameter(const __grid_constant__ Big big, double* out, char tag, short two) {
  out[threadIdx.x] = big.values[threadIdx.x % 20] * big.scale + tag + two;
}
PROGRAM(structs_as_parameters) {
  Big big;
  for (int i = 0; i < 20; ++i) big.values[i] = i * i;
  big.scale = 0.5;
  Device<double> out(32);
  big_parameter<<<1, 32>>>(big, out.data, 'a', -3);
  const auto got = out.host();
  for (int i = 0; i < 32; ++i) EXPECT(got[i] == (i % 20) * (i % 20) * 0.5 + 'a' - 3);
}

__global__ void __launch_bounds__(128) bounded(int* out) { out[threadIdx.x] = 1; }
__global__ void much_shared(int* out) {
  extern __shared__ int s[];
  s[threadIdx.x * 200] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = s[(blockDim.x - 1 - threadIdx.x) * 200];
}
PROGRAM(limits_and_attributes) {
  Device<int> out(1024);
  cudaDeviceProp p;
  CUDA(cudaGetDeviceProperties(&p, 0));
  EXPECT(p.warpSize == 32 && p.multiProcessorCount > 50 && p.major >= 8);
  bounded<<<1, 1025>>>(out.data);
  EXPECT(cudaGetLastError() == cudaErrorInvalidConfiguration && cudaGetLastError() == cudaSuccess);
  bounded<<<0, 32>>>(out.data);
  EXPECT(cudaGetLastError() == cudaErrorInvalidConfiguration);
  bounded<<<1, 256>>>(out.data);
  EXPECT(cudaGetLastError() == cudaErrorLaunchOutOfResources);
  much_shared<<<1, 80, 64000>>>(out.data);
  EXPECT(cudaGetLastError() == cudaErrorInvalidValue);
  CUDA(cudaFuncSetAttribute(much_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 64000));
  much_shared<<<1, 80, 64000>>>(out.data);
  CUDA(cudaDeviceSynchronize());
  EXPECT(out.host().size() == 1024);
  EXPECT(cudaFuncSetAttribute(much_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 20) == cudaErrorInvalidValue);
  cudaGetLastError();
  cudaFuncAttributes a;
  CUDA(cudaFuncGetAttributes(&a, bounded));
  EXPECT(a.maxThreadsPerBlock == 128 && a.numRegs > 0);
  int blocks = 0, grid = 0, block = 0;
  CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, bounded, 128, 0));
  EXPECT(blocks >= 8);
  CUDA(cudaOccupancyMaxPotentialBlockSize(&grid, &block, bounded));
  EXPECT(block == 128 && grid >= p.multiProcessorCount);
  size_t available, total;
  CUDA(cudaMemGetInfo(&available, &total));
  void* huge;
  EXPECT(cudaMalloc(&huge, total + 1) == cudaErrorMemoryAllocation && cudaGetLastError() == cudaErrorMemoryAllocation);
}

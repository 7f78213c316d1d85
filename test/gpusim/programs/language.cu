// What C++ has beside arithmetic: calls of every kind, tables, arrays, the math library, printf, malloc.
#include <algorithm>
#include <numeric>

#include "harness.h"

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

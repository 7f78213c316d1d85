// The toolkit's own headers, as they are: CUB and cooperative groups.
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

#include <algorithm>
#include <cub/cub.cuh>
#include <numeric>

#include "harness.h"

namespace cg = cooperative_groups;

namespace {

std::vector<unsigned> random_numbers(size_t count, uint64_t seed) {
  std::vector<unsigned> v(count);
  for (auto& x : v) x = next_random(seed) * 2654435761u;
  return v;
}
// Runs a cub:: call with temporary storage of the size that it asks for.
template <class Call>
void with_storage(Call call) {
  size_t bytes = 0;
  CUDA(call(nullptr, bytes));
  Device<char> storage(std::max<size_t>(bytes, 1));
  CUDA(call(storage.data, bytes));
  CUDA(cudaDeviceSynchronize());
}

}  // namespace

PROGRAM(cub_device_radix_sort) {
  for (const int n : {1, 1000, 20000}) {
    auto keys = random_numbers(n, n);
    Device<unsigned> in(keys), out(n);
    with_storage([&](void* storage, size_t& bytes) { return cub::DeviceRadixSort::SortKeys(storage, bytes, in.data, out.data, n); });
    std::sort(keys.begin(), keys.end());
    EXPECT(out.host() == keys);
  }
}

PROGRAM(cub_device_scan) {
  for (const int n : {1, 3000, 50000}) {
    std::vector<int> v(n), want(n);
    for (int i = 0; i < n; ++i) v[i] = i % 23 - 9;
    Device<int> in(v), out(n);
    with_storage([&](void* storage, size_t& bytes) { return cub::DeviceScan::ExclusiveSum(storage, bytes, in.data, out.data, n); });
    std::exclusive_scan(v.begin(), v.end(), want.begin(), 0);
    EXPECT(out.host() == want);
  }
}

PROGRAM(cub_device_reduce) {
  const int n = 30001;
  std::vector<int> v(n);
  for (int i = 0; i < n; ++i) v[i] = i * 7 % 1001 - 500;
  Device<int> in(v), out(1);
  with_storage([&](void* storage, size_t& bytes) { return cub::DeviceReduce::Max(storage, bytes, in.data, out.data, n); });
  EXPECT(out.host()[0] == *std::max_element(v.begin(), v.end()));
}

__global__ void block_primitives(const int* in, int* out) {
  using Reduce = cub::BlockReduce<int, 128>;
  using Scan = cub::BlockScan<int, 128>;
  __shared__ union {
    Reduce::TempStorage reduce;
    Scan::TempStorage scan;
  } storage;
  const int v = in[blockIdx.x * 128 + threadIdx.x];
  const int sum = Reduce(storage.reduce).Sum(v);
  __syncthreads();
  int before;
  Scan(storage.scan).ExclusiveSum(v, before);
  out[blockIdx.x * 129 + threadIdx.x] = before;
  if (threadIdx.x == 0) out[blockIdx.x * 129 + 128] = sum;
}
PROGRAM(cub_block_reduce_and_scan) {
  std::vector<int> v(512);
  for (int i = 0; i < 512; ++i) v[i] = i % 31;
  Device<int> in(v), out(4 * 129);
  block_primitives<<<4, 128>>>(in.data, out.data);
  const auto got = out.host();
  for (int b = 0, sum = 0; b < 4; ++b, sum = 0) {
    for (int i = 0; i < 128; ++i) {
      EXPECT(got[b * 129 + i] == sum);
      sum += v[b * 128 + i];
    }
    EXPECT(got[b * 129 + 128] == sum);
  }
}

__global__ void tiles(const int* in, int* out) {
  const auto block = cg::this_thread_block();
  const auto tile = cg::tiled_partition<8>(block);
  const auto warp = cg::tiled_partition<32>(block);
  const int v = in[block.thread_rank()];
  const int tile_sum = cg::reduce(tile, v, cg::plus<int>());
  const int before = cg::exclusive_scan(warp, v, cg::plus<int>());
  int odd = 0;
  if (v & 1) {
    const auto some = cg::coalesced_threads();
    odd = some.size() * 100 + some.thread_rank();
    odd += 10000 * some.shfl(odd % 100 == 0, 0);
  }
  block.sync();
  out[block.thread_rank() * 3] = tile_sum;
  out[block.thread_rank() * 3 + 1] = before;
  out[block.thread_rank() * 3 + 2] = odd;
}
PROGRAM(cooperative_groups_tiles) {
  std::vector<int> v(64);
  for (int i = 0; i < 64; ++i) v[i] = i * i % 19;
  Device<int> in(v), out(192);
  tiles<<<1, 64>>>(in.data, out.data);
  const auto got = out.host();
  for (int i = 0; i < 64; ++i) {
    EXPECT(got[3 * i] == std::accumulate(v.begin() + i / 8 * 8, v.begin() + i / 8 * 8 + 8, 0));
    EXPECT(got[3 * i + 1] == std::accumulate(v.begin() + i / 32 * 32, v.begin() + i, 0));
    int size = 0, rank = 0;
    for (int k = i / 32 * 32; k < i / 32 * 32 + 32; ++k) size += v[k] & 1, rank += k < i && v[k] & 1;
    EXPECT(got[3 * i + 2] == (v[i] & 1 ? size * 100 + rank + 10000 : 0));
  }
}

__global__ void grid_steps(int* data, int n, int rounds) {
  const auto grid = cg::this_grid();
  for (int round = 0; round < rounds; ++round) {
    for (int i = grid.thread_rank(); i < n; i += grid.size())
      data[(round + 1) * n + i] = data[round * n + i] + data[round * n + (i + 37) % n];
    grid.sync();
  }
}
PROGRAM(cooperative_grid) {
  int n = 200, rounds = 5;
  std::vector<int> v(n * (rounds + 1));
  for (int i = 0; i < n; ++i) v[i] = i % 5;
  Device<int> d(v);
  void* arguments[] = {&d.data, &n, &rounds};
  CUDA(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(grid_steps), dim3(6), dim3(32), arguments, 0, nullptr));
  CUDA(cudaDeviceSynchronize());
  for (int r = 0; r < rounds; ++r)
    for (int i = 0; i < n; ++i) v[(r + 1) * n + i] = v[r * n + i] + v[r * n + (i + 37) % n];
  EXPECT(d.host() == v);
  EXPECT(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(grid_steps), dim3(1 << 20), dim3(32), arguments, 0, nullptr) ==
         cudaErrorCooperativeLaunchTooLarge);
  cudaGetLastError();
}

__global__ void staged(const int* in, int* out) {
  __shared__ __align__(16) int box[128];
  const auto block = cg::this_thread_block();
  cg::memcpy_async(block, box, in + blockIdx.x * 128, sizeof box);
  cg::wait(block);
  out[blockIdx.x * 128 + threadIdx.x] = box[127 - threadIdx.x];
}
PROGRAM(cooperative_memcpy_async) {
  std::vector<int> v(256);
  std::iota(v.begin(), v.end(), 5);
  Device<int> in(v), out(256);
  staged<<<2, 128>>>(in.data, out.data);
  CUDA(cudaDeviceSynchronize());
  const auto got = out.host();
  for (int i = 0; i < 256; ++i) EXPECT(got[i] == v[i / 128 * 128 + 127 - i % 128]);
}

// nvcuda::wmma: every shape and type.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

#include "products.h"

template <int M, int N, int K, class T, class C, class LayoutA, class LayoutB>
__global__ void wmma_product(const T* a, int lda, const T* b, int ldb, C* c) {
  using namespace nvcuda;
  wmma::fragment<wmma::matrix_a, M, N, K, T, LayoutA> fa;
  wmma::fragment<wmma::matrix_b, M, N, K, T, LayoutB> fb;
  wmma::fragment<wmma::accumulator, M, N, K, C> fc;
  wmma::fill_fragment(fc, static_cast<C>(1));
  wmma::load_matrix_sync(fa, a, lda);
  wmma::load_matrix_sync(fb, b, ldb);
  wmma::mma_sync(fc, fa, fb, fc);
  for (int i = 0; i < fc.num_elements; ++i) fc.x[i] = fc.x[i] + fc.x[i];
  wmma::store_matrix_sync(c, fc, N, wmma::mem_row_major);
}
template <int M, int N, int K, class T, class C>
void check_wmma(int from = -4, int to = 4) {
  using namespace nvcuda;
  const auto a = small(M * K, 61, from, to), b = small(N * K, 62, from, to);  // b column-major
  Device<T> da(as<T>(a)), db(as<T>(b));
  Device<C> dc(M * N);
  wmma_product<M, N, K, T, C, wmma::row_major, wmma::col_major><<<1, 32>>>(da.data, K, db.data, K, dc.data);
  CUDA(cudaDeviceSynchronize());
  const auto c = dc.host();
  const auto want = dense_product(a, b, M, N, K);
  for (int i = 0; i < M * N; ++i) EXPECT(static_cast<float>(c[i]) == 2.0f * static_cast<float>(want[i] + 1));
  std::vector<int> at(a.size()), bt(b.size());
  for (int i = 0; i < M; ++i)
    for (int l = 0; l < K; ++l) at[l * M + i] = a[i * K + l];
  for (int j = 0; j < N; ++j)
    for (int l = 0; l < K; ++l) bt[l * N + j] = b[j * K + l];
  Device<T> dat(as<T>(at)), dbt(as<T>(bt));
  wmma_product<M, N, K, T, C, wmma::col_major, wmma::row_major><<<1, 32>>>(dat.data, M, dbt.data, N, dc.data);
  CUDA(cudaDeviceSynchronize());
  EXPECT(std::memcmp(dc.host().data(), c.data(), sizeof(C) * c.size()) == 0);
}
PROGRAM(wmma_shapes_and_types) {
  check_wmma<16, 16, 16, __half, float>();
  check_wmma<32, 8, 16, __half, float>();
  check_wmma<8, 32, 16, __half, __half>();
  check_wmma<16, 16, 16, __nv_bfloat16, float>();
  check_wmma<16, 16, 16, signed char, int>(-128, 127);
  check_wmma<32, 8, 16, unsigned char, int>(0, 255);
  check_wmma<16, 16, 16, __half, __half>();
  check_wmma<32, 8, 16, __half, __half>();
  check_wmma<8, 32, 16, __half, float>();
  check_wmma<32, 8, 16, __nv_bfloat16, float>();
  check_wmma<8, 32, 16, __nv_bfloat16, float>();
  check_wmma<8, 32, 16, signed char, int>(-128, 127);
  check_wmma<16, 16, 16, unsigned char, int>(0, 255);
  check_wmma<8, 8, 4, double, double>();
}

__global__ void wmma_tf32(const float* a, const float* b, float* c) {
  using namespace nvcuda;
  wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::col_major> fb;
  wmma::fragment<wmma::accumulator, 16, 16, 8, float> fc;
  wmma::fill_fragment(fc, 0.0f);
  wmma::load_matrix_sync(fa, a, 8);
  wmma::load_matrix_sync(fb, b, 8);
  for (int i = 0; i < fa.num_elements; ++i) fa.x[i] = wmma::__float_to_tf32(fa.x[i]);
  for (int i = 0; i < fb.num_elements; ++i) fb.x[i] = wmma::__float_to_tf32(fb.x[i]);
  wmma::mma_sync(fc, fa, fb, fc);
  wmma::store_matrix_sync(c, fc, 16, wmma::mem_row_major);
}
__global__ void wmma_s4(const void* a, const void* b, int* c) {
  using namespace nvcuda;
  wmma::fragment<wmma::matrix_a, 8, 8, 32, wmma::experimental::precision::s4, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 8, 8, 32, wmma::experimental::precision::s4, wmma::col_major> fb;
  wmma::fragment<wmma::accumulator, 8, 8, 32, int> fc;
  wmma::fill_fragment(fc, 0);
  wmma::load_matrix_sync(fa, a, 32);
  wmma::load_matrix_sync(fb, b, 32);
  wmma::mma_sync(fc, fa, fb, fc);
  wmma::store_matrix_sync(c, fc, 8, wmma::mem_row_major);
}
__global__ void wmma_b1(const void* a, const void* b, int* c) {
  using namespace nvcuda;
  wmma::fragment<wmma::matrix_a, 8, 8, 128, wmma::experimental::precision::b1, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 8, 8, 128, wmma::experimental::precision::b1, wmma::col_major> fb;
  wmma::fragment<wmma::accumulator, 8, 8, 128, int> fc;
  wmma::load_matrix_sync(fa, a, 128);
  wmma::load_matrix_sync(fb, b, 128);
  wmma::fill_fragment(fc, 0);
  wmma::bmma_sync(fc, fa, fb, fc, wmma::experimental::bmmaBitOpXOR);
  wmma::store_matrix_sync(c, fc, 8, wmma::mem_row_major);
  wmma::fill_fragment(fc, 0);
  wmma::bmma_sync(fc, fa, fb, fc, wmma::experimental::bmmaBitOpAND);
  wmma::store_matrix_sync(c + 64, fc, 8, wmma::mem_row_major);
}
PROGRAM(wmma_of_narrow_types) {
  {
    const auto a = small(16 * 8, 63), b = small(16 * 8, 64);
    Device<float> da(as<float>(a)), db(as<float>(b)), dc(256);
    wmma_tf32<<<1, 32>>>(da.data, db.data, dc.data);
    const auto c = dc.host();
    const auto want = dense_product(a, b, 16, 16, 8);
    for (int i = 0; i < 256; ++i) EXPECT(c[i] == static_cast<float>(want[i]));
  }
  {
    const auto a = small(8 * 32, 65, -8, 7), b = small(8 * 32, 66, -8, 7);
    const auto nibbles = [](const std::vector<int>& v) {
      std::vector<uint8_t> bytes(v.size() / 2);
      for (size_t i = 0; i < v.size(); ++i) bytes[i / 2] |= static_cast<uint8_t>((v[i] & 15) << 4 * (i % 2));
      return bytes;
    };
    Device<uint8_t> da(nibbles(a)), db(nibbles(b));
    Device<int> dc(64);
    wmma_s4<<<1, 32>>>(da.data, db.data, dc.data);
    EXPECT(dc.host() == dense_product(a, b, 8, 8, 32));
  }
  std::vector<uint32_t> a(32), b(32);
  uint64_t seed = 67;
  for (auto& w : a) w = next_random(seed) * 3;
  for (auto& w : b) w = next_random(seed) * 5;
  Device<uint32_t> da(a), db(b);
  Device<int> dc(128);
  wmma_b1<<<1, 32>>>(da.data, db.data, dc.data);
  const auto c = dc.host();
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 8; ++j) {
      int x = 0, y = 0;
      for (int w = 0; w < 4; ++w)
        x += __builtin_popcount(a[i * 4 + w] ^ b[j * 4 + w]), y += __builtin_popcount(a[i * 4 + w] & b[j * 4 + w]);
      EXPECT(c[i * 8 + j] == x && c[64 + i * 8 + j] == y);
    }
}

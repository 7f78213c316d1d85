// Tensor cores: the packing vectors of the 2:4 formats, matrix loads, GEMMs as real kernels write them, nvcuda::wmma. Forms of mma:
// forms.cu.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "fragments.h"
#include "products.h"

// --- fragments gathered by the rule of the manual ---------------------------------------------------------------------------------------

// E elements of T in a 32-bit register; a m x k row-major, b n x k (column-major k x n).
template <class T>
__device__ uint32_t pack_a(const T* a, int k, int r) {
  constexpr int E = 4 / sizeof(T);
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  uint32_t word = 0;
  for (int e = 0; e < E; ++e)
    memcpy(reinterpret_cast<char*>(&word) + e * sizeof(T), &a[(g + 8 * (r & 1)) * k + E * t + e + 4 * E * (r >> 1)], sizeof(T));
  return word;
}
template <class T>
__device__ uint32_t pack_b(const T* b, int k, int r) {
  constexpr int E = 4 / sizeof(T);
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  uint32_t word = 0;
  for (int e = 0; e < E; ++e) memcpy(reinterpret_cast<char*>(&word) + e * sizeof(T), &b[g * k + E * t + e + 4 * E * r], sizeof(T));
  return word;
}
template <class C>
__device__ void unpack_c(C* out, const C* c) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  for (int i = 0; i < 4; ++i) out[(g + 8 * (i >> 1)) * 8 + 2 * t + (i & 1)] = c[i];
}

// --- mma.sp ------------------------------------------------------------------------------------------------------------------------

struct Sparse {  // 2:4 (or 1:2, or 4:8 in pairs) along K, with the metadata in canonical order
  std::vector<int> dense, stored;
  std::vector<uint8_t> nibbles;  // by row and chunk
  int chunks;
};
constexpr int kPairs[6][2] = {{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}};
Sparse make_sparse(int m, int k, int width, uint64_t seed, bool pattern = false) {
  Sparse s;
  s.chunks = k / width;
  s.dense.resize(m * k);
  for (int r = 0; r < m; ++r)
    for (int c = 0; c < s.chunks; ++c) {
      const auto value = [&] { return static_cast<int>(next_random(seed) % 7) + 1; };
      if (width == 2) {
        const int at = pattern ? (r + c) & 1 : static_cast<int>(next_random(seed) & 1), v = value();
        s.nibbles.push_back(at ? 0xE : 0x4);
        s.dense[r * k + 2 * c + at] = v;
        s.stored.push_back(v);
        continue;
      }
      const auto& pair = kPairs[pattern ? (r + c) % 6 : next_random(seed) % 6];
      s.nibbles.push_back(static_cast<uint8_t>(pair[0] | pair[1] << 2));
      const int each = width / 4;
      for (int i = 0; i < 2; ++i)
        for (int e = 0; e < each; ++e) {
          const int v = value();
          s.dense[r * k + c * width + pair[i] * each + e] = v;
          s.stored.push_back(v);
        }
    }
  return s;
}
// 16-bit and tf32 blocks: 32 rows, 8 chunks. Word of lane 4 g + t: K half t & 1 of rows g | g + 8 (t < 2) or g + 16 | g + 24.
std::vector<uint32_t> words_16(const Sparse& s) {
  std::vector<uint32_t> words(32);
  for (int lane = 0; lane < 32; ++lane)
    for (int half = 0; half < 2; ++half)
      for (int q = 0; q < 4; ++q)
        words[lane] |= uint32_t{s.nibbles[(lane / 4 + 16 * (lane % 4 / 2) + 8 * half) * s.chunks + lane % 2 * 4 + q]}
                       << (16 * half + 4 * q);
  return words;
}
// 8-bit blocks: 16 rows, 16 chunks. Word of lane 4 g + t: row g + 8 (t & 1), K half t >> 1.
std::vector<uint32_t> words_8(const Sparse& s) {
  std::vector<uint32_t> words(32);
  for (int lane = 0; lane < 32; ++lane)
    for (int q = 0; q < 8; ++q) words[lane] |= uint32_t{s.nibbles[(lane / 4 + 8 * (lane & 1)) * s.chunks + lane % 4 / 2 * 8 + q]} << 4 * q;
  return words;
}
uint32_t crc32(const std::vector<uint32_t>& words) {
  uint32_t crc = ~0u;
  for (uint32_t word : words)
    for (int byte = 0; byte < 4; ++byte) {
      crc ^= word >> 8 * byte & 255;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
  return ~crc;
}
PROGRAM(metadata_vectors) {
  const auto f16 = words_16(make_sparse(32, 32, 4, 1, true)), s8 = words_8(make_sparse(16, 64, 4, 1, true)),
             tf32 = words_16(make_sparse(32, 16, 2, 1, true));
  const uint32_t want16[] = {0xEDC9C984, 0xC98484ED, 0xC98484ED, 0x84EDEDC9, 0x4EDCDC98, 0xDC98984E, 0xDC98984E, 0x984E4EDC};
  const uint32_t want8[] = {0x84EDC984, 0xC984EDC9, 0xC984EDC9, 0xEDC984ED, 0x984EDC98, 0xDC984EDC, 0xDC984EDC, 0x4EDC984E};
  for (int i = 0; i < 8; ++i) EXPECT(f16[i] == want16[i] && s8[i] == want8[i]);
  EXPECT(crc32(f16) == 0x6BEE730A && crc32(s8) == 0x15FD1D3C && crc32(tf32) == 0x001DC6F4);
  for (int i = 0; i < 4; ++i) EXPECT(tf32[i] == 0xE4E4E4E4);
}

#define MMA_SP_4_4(name, spelling, T, C, letter, shape, types, stored_k, k, selector)                                                      \
  __global__ void name(const T* a, const T* b, const uint32_t* words, C* out) {                                                            \
    C c[4] = {0, 0, 0, 0};                                                                                                                 \
    asm(spelling ".sync.aligned." shape ".row.col." types " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, {%0,%1,%2,%3}, %12, " #selector \
                 ";"                                                                                                                       \
        : "+" letter(c[0]), "+" letter(c[1]), "+" letter(c[2]), "+" letter(c[3])                                                           \
        : "r"(pack_a(a, stored_k, 0)), "r"(pack_a(a, stored_k, 1)), "r"(pack_a(a, stored_k, 2)), "r"(pack_a(a, stored_k, 3)),              \
          "r"(pack_b(b, k, 0)), "r"(pack_b(b, k, 1)), "r"(pack_b(b, k, 2)), "r"(pack_b(b, k, 3)), "r"(words[threadIdx.x]));                \
    unpack_c(out, c);                                                                                                                      \
  }
#define PLAIN "mma.sp"
#define ORDERED "mma.sp::ordered_metadata"
MMA_SP_4_4(sp_f16_0, ORDERED, __half, float, "f", "m16n8k32", "f32.f16.f16.f32", 16, 32, 0)
MMA_SP_4_4(sp_f16_1, PLAIN, __half, float, "f", "m16n8k32", "f32.f16.f16.f32", 16, 32, 1)
MMA_SP_4_4(sp_bf16_1, ORDERED, __nv_bfloat16, float, "f", "m16n8k32", "f32.bf16.bf16.f32", 16, 32, 1)
MMA_SP_4_4(sp_tf32_0, ORDERED, float, float, "f", "m16n8k16", "f32.tf32.tf32.f32", 8, 16, 0)
MMA_SP_4_4(sp_tf32_1, PLAIN, float, float, "f", "m16n8k16", "f32.tf32.tf32.f32", 8, 16, 1)
MMA_SP_4_4(sp_s8, ORDERED, int8_t, int, "r", "m16n8k64", "s32.s8.s8.s32", 32, 64, 0)
MMA_SP_4_4(sp_u8, PLAIN, uint8_t, int, "r", "m16n8k64", "s32.u8.u8.s32", 32, 64, 0)

template <class T, class C>
void check_sp(void (*kernel)(const T*, const T*, const uint32_t*, C*), const Sparse& s, int first_row, int k,
              const std::vector<uint32_t>& words) {
  const int stored_k = static_cast<int>(s.stored.size() / (s.nibbles.size() / s.chunks));
  const std::vector<int> dense(s.dense.begin() + first_row * k, s.dense.begin() + (first_row + 16) * k);
  const std::vector<int> stored(s.stored.begin() + first_row * stored_k, s.stored.begin() + (first_row + 16) * stored_k);
  const auto b = small(8 * k, 21, 0, 5);
  Device<T> da(as<T>(stored)), db(as<T>(b));
  Device<uint32_t> dw(words);
  Device<C> out(128);
  kernel<<<1, 32>>>(da.data, db.data, dw.data, out.data);
  CUDA(cudaDeviceSynchronize());
  const auto got = out.host();
  const auto want = dense_product(dense, b, 16, 8, k);
  for (int i = 0; i < 128; ++i) EXPECT(got[i] == static_cast<C>(want[i]));
}
// A word of each lane serves two instructions.
PROGRAM(packed_metadata) {
  const Sparse f16 = make_sparse(32, 32, 4, 31), tf32 = make_sparse(32, 16, 2, 32), s8 = make_sparse(16, 64, 4, 33);
  check_sp(sp_f16_0, f16, 0, 32, words_16(f16));
  check_sp(sp_f16_1, f16, 16, 32, words_16(f16));
  check_sp(sp_bf16_1, f16, 16, 32, words_16(f16));
  check_sp(sp_tf32_0, tf32, 0, 16, words_16(tf32));
  check_sp(sp_tf32_1, tf32, 16, 16, words_16(tf32));
  check_sp(sp_s8, s8, 0, 64, words_8(s8));
  check_sp(sp_u8, s8, 0, 64, words_8(s8));
}

// --- ldmatrix and its like -----------------------------------------------------------------------------------------------------------

__global__ void load_matrices(const uint16_t* in, uint32_t* out) {
  __shared__ __align__(16) uint16_t tile[32 * 8];
  for (int i = threadIdx.x; i < 256; i += 32) tile[i] = in[i];
  __syncthreads();
  uint32_t r[4];
  load_matrix_x4(r, &tile[threadIdx.x * 8]);
  for (int i = 0; i < 4; ++i) out[i * 32 + threadIdx.x] = r[i];
  load_matrix_x4_trans(r, &tile[threadIdx.x * 8]);
  for (int i = 0; i < 4; ++i) out[128 + i * 32 + threadIdx.x] = r[i];
  uint32_t moved;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(moved) : "r"(r[3]));
  out[256 + threadIdx.x] = moved;
}
PROGRAM(matrix_loads) {
  std::vector<uint16_t> in(256);
  for (int i = 0; i < 256; ++i) in[i] = static_cast<uint16_t>(i * 257 + 3);
  Device<uint16_t> din(in);
  Device<uint32_t> out(288);
  load_matrices<<<1, 32>>>(din.data, out.data);
  const auto got = out.host();
  for (int m = 0; m < 4; ++m)
    for (int lane = 0; lane < 32; ++lane) {
      const uint16_t* tile = &in[m * 64];
      const int r = lane / 4, c = lane % 4 * 2;
      EXPECT(got[m * 32 + lane] == (tile[r * 8 + c] | static_cast<uint32_t>(tile[r * 8 + c + 1]) << 16));
      EXPECT(got[128 + m * 32 + lane] == (tile[c * 8 + r] | static_cast<uint32_t>(tile[(c + 1) * 8 + r]) << 16));
      if (m == 3) EXPECT(got[256 + lane] == got[96 + lane]);
    }
}

// --- GEMMs ---------------------------------------------------------------------------------------------------------------------------

// C = A B, A m x k and B k x n row-major half, C float. 64 x 64 tiles of 4 warps, two stages of cp.async.
constexpr int kTile = 64, kStep = 32, kPad = 8;
__global__ void __launch_bounds__(128) gemm_f16(const __half* a, const __half* b, float* c, int m, int n, int k) {
  __shared__ __align__(16) __half sa[2][kTile][kStep + kPad], sb[2][kStep][kTile + kPad];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row0 = blockIdx.y * kTile, column0 = blockIdx.x * kTile;
  const auto fetch = [&](int stage, int k0) {
    for (int i = threadIdx.x; i < kTile * kStep / 8; i += 128) {
      const int r = i / (kStep / 8), x = i % (kStep / 8) * 8;
      async_copy16_part(&sa[stage][r][x], a + (row0 + r < m ? (size_t)(row0 + r) * k + k0 + x : 0), row0 + r < m ? 16 : 0);
      const int rb = i / (kTile / 8), xb = i % (kTile / 8) * 8;
      async_copy16(&sb[stage][rb][xb], b + (size_t)(k0 + rb) * n + column0 + xb);
    }
    async_commit();
  };
  float acc[8][4] = {};
  fetch(0, 0);
  for (int k0 = 0, stage = 0; k0 < k; k0 += kStep, stage ^= 1) {
    if (k0 + kStep < k) {
      fetch(stage ^ 1, k0 + kStep);
      async_wait<1>();
    } else {
      async_wait<0>();
    }
    __syncthreads();
    for (int kk = 0; kk < kStep; kk += 16) {
      uint32_t ra[4];
      load_matrix_x4(ra, &sa[stage][warp * 16 + lane % 16][kk + lane / 16 * 8]);
      for (int j = 0; j < 8; ++j) {
        uint32_t rb[2];
        load_matrix_x2_trans(rb, &sb[stage][kk + lane % 16][j * 8]);
        mma_m16n8k16_f16(acc[j], ra, rb);
      }
    }
    __syncthreads();
  }
  for (int j = 0; j < 8; ++j)
    for (int i = 0; i < 4; ++i) {
      const int r = row0 + warp * 16 + lane / 4 + 8 * (i >> 1), x = column0 + j * 8 + lane % 4 * 2 + (i & 1);
      if (r < m) c[(size_t)r * n + x] = acc[j][i];
    }
}
PROGRAM(double_buffered_gemm) {
  const int m = 100, n = 128, k = 96;
  const auto a = small(m * k, 41), b = small(k * n, 42);
  Device<__half> da(as<__half>(a)), db(as<__half>(b));
  Device<float> dc(m * n);
  gemm_f16<<<dim3(n / kTile, (m + kTile - 1) / kTile), 128>>>(da.data, db.data, dc.data, m, n, k);
  CUDA(cudaDeviceSynchronize());
  const auto c = dc.host();
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      int sum = 0;
      for (int l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
      EXPECT(c[i * n + j] == static_cast<float>(sum));
    }
}

// Y^T = W X^T with W out x in 2:4 (values out x in / 2, words of 32 x 32 blocks), X tokens x in: 64 outputs x 32 tokens a block.
__global__ void __launch_bounds__(64) gemm_sparse(const __half* values, const uint32_t* words, const __half* x, float* y, int in) {
  __shared__ __align__(16) __half sw[64][16 + 8], sx[32][32 + 8];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, out0 = blockIdx.y * 64, token0 = blockIdx.x * 32, outs = gridDim.y * 64;
  float acc[2][4][4] = {};
  for (int k0 = 0; k0 < in; k0 += 32) {
    for (int i = threadIdx.x; i < 128; i += 64) {
      async_copy16(&sw[i / 2][i % 2 * 8], values + (size_t)(out0 + i / 2) * (in / 2) + k0 / 2 + i % 2 * 8);
      async_copy16(&sx[i / 4][i % 4 * 8], x + (size_t)(token0 + i / 4) * in + k0 + i % 4 * 8);
    }
    asm volatile("cp.async.wait_all;" ::: "memory");
    __syncthreads();
    const uint32_t metadata = words[((size_t)(out0 / 32 + warp) * (in / 32) + k0 / 32) * 32 + lane];
    uint32_t a[2][4];
    for (int i = 0; i < 2; ++i) load_matrix_x4(a[i], &sw[warp * 32 + i * 16 + lane % 16][lane / 16 * 8]);
    for (int j = 0; j < 4; ++j) {
      uint32_t b[4];
      load_matrix_x4(b, &sx[j * 8 + lane % 8][lane / 8 * 8]);
      mma_sp_m16n8k32_f16<0>(acc[0][j], a[0], b, metadata);
      mma_sp_m16n8k32_f16<1>(acc[1][j], a[1], b, metadata);
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 4; ++j)
      for (int e = 0; e < 4; ++e)
        y[(size_t)(token0 + j * 8 + lane % 4 * 2 + (e & 1)) * outs + out0 + warp * 32 + i * 16 + lane / 4 + 8 * (e >> 1)] = acc[i][j][e];
}
PROGRAM(sparse_gemm) {
  const int outs = 128, in = 96, tokens = 64;
  const Sparse w = make_sparse(outs, in, 4, 51);
  std::vector<uint32_t> words;
  for (int r = 0; r < outs; r += 32)
    for (int k0 = 0; k0 < in; k0 += 32) {
      Sparse block;
      block.chunks = 8;
      for (int i = 0; i < 32; ++i)
        for (int c = 0; c < 8; ++c) block.nibbles.push_back(w.nibbles[(r + i) * w.chunks + k0 / 4 + c]);
      const auto some = words_16(block);
      words.insert(words.end(), some.begin(), some.end());
    }
  const auto x = small(tokens * in, 52);
  Device<__half> dv(as<__half>(w.stored)), dx(as<__half>(x));
  Device<uint32_t> dw(words);
  Device<float> dy(tokens * outs);
  gemm_sparse<<<dim3(tokens / 32, outs / 64), 64>>>(dv.data, dw.data, dx.data, dy.data, in);
  CUDA(cudaDeviceSynchronize());
  const auto y = dy.host();
  const auto want = dense_product(x, w.dense, tokens, outs, in);
  for (int i = 0; i < tokens * outs; ++i) EXPECT(y[i] == static_cast<float>(want[i]));
}

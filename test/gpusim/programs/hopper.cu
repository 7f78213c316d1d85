// What devices of compute capability 9.0 have more: 8-bit floating point and double in tensor cores, stmatrix.
#include "forms.h"
#include "fragments.h"

FORM_4_2_4(e4m3_e4m3_k32, float, "f", "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32")
FORM_2_1_4(e4m3_e4m3_k16, float, "f", "mma.sync.aligned.m16n8k16.row.col.f32.e4m3.e4m3.f32")
FORM_4_2_4(e4m3_e5m2_k32, float, "f", "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e5m2.f32")
FORM_2_1_4(e4m3_e5m2_k16, float, "f", "mma.sync.aligned.m16n8k16.row.col.f32.e4m3.e5m2.f32")
FORM_SP_4_4_4(sp_e4m3_k64, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.f32.e4m3.e4m3.f32", 0)
FORM_4_2_4(e5m2_e4m3_k32, float, "f", "mma.sync.aligned.m16n8k32.row.col.f32.e5m2.e4m3.f32")
FORM_2_1_4(e5m2_e4m3_k16, float, "f", "mma.sync.aligned.m16n8k16.row.col.f32.e5m2.e4m3.f32")
FORM_4_2_4(e5m2_e5m2_k32, float, "f", "mma.sync.aligned.m16n8k32.row.col.f32.e5m2.e5m2.f32")
FORM_2_1_4(e5m2_e5m2_k16, float, "f", "mma.sync.aligned.m16n8k16.row.col.f32.e5m2.e5m2.f32")
FORM_SP_4_4_4(sp_e5m2_k64, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.f32.e5m2.e5m2.f32", 0)
PROGRAM(eight_bit_floats) {
  const Form forms[] = {
      {"e4m3_e4m3_k32", e4m3_e4m3_k32, 16, 8, 32, Kind::kE4m3, Kind::kE4m3, Kind::kF32},
      {"e4m3_e4m3_k16", e4m3_e4m3_k16, 16, 8, 16, Kind::kE4m3, Kind::kE4m3, Kind::kF32},
      {"e4m3_e5m2_k32", e4m3_e5m2_k32, 16, 8, 32, Kind::kE4m3, Kind::kE5m2, Kind::kF32},
      {"e4m3_e5m2_k16", e4m3_e5m2_k16, 16, 8, 16, Kind::kE4m3, Kind::kE5m2, Kind::kF32},
      {"sp_e4m3_k64", sp_e4m3_k64, 16, 8, 64, Kind::kE4m3, Kind::kE4m3, Kind::kF32, true, 0},
      {"e5m2_e4m3_k32", e5m2_e4m3_k32, 16, 8, 32, Kind::kE5m2, Kind::kE4m3, Kind::kF32},
      {"e5m2_e4m3_k16", e5m2_e4m3_k16, 16, 8, 16, Kind::kE5m2, Kind::kE4m3, Kind::kF32},
      {"e5m2_e5m2_k32", e5m2_e5m2_k32, 16, 8, 32, Kind::kE5m2, Kind::kE5m2, Kind::kF32},
      {"e5m2_e5m2_k16", e5m2_e5m2_k16, 16, 8, 16, Kind::kE5m2, Kind::kE5m2, Kind::kF32},
      {"sp_e5m2_k64", sp_e5m2_k64, 16, 8, 64, Kind::kE5m2, Kind::kE5m2, Kind::kF32, true, 0},
  };
  for (const Form& form : forms) check_form(form);
}

// a: m x k, b: n x k, c: m x n; register r of A has row g + 8 (r & 1), column t + 4 (r >> 1).
__global__ void doubles_m8k4(const double* a, const double* b, double* c) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  double* d = c + g * 8 + 2 * t;
  asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
      : "+d"(d[0]), "+d"(d[1])
      : "d"(a[g * 4 + t]), "d"(b[g * 4 + t]));
}
template <int K>
__global__ void doubles_m16(const double* a, const double* b, double* c) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  const auto A = [&](int r) { return a[(g + 8 * (r & 1)) * K + t + 4 * (r >> 1)]; };
  const auto B = [&](int r) { return b[g * K + t + 4 * r]; };
  double *d = c + g * 8 + 2 * t, *e = d + 64;
  if constexpr (K == 4)
    asm("mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
        : "+d"(d[0]), "+d"(d[1]), "+d"(e[0]), "+d"(e[1])
        : "d"(A(0)), "d"(A(1)), "d"(B(0)));
  else if constexpr (K == 8)
    asm("mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+d"(d[0]), "+d"(d[1]), "+d"(e[0]), "+d"(e[1])
        : "d"(A(0)), "d"(A(1)), "d"(A(2)), "d"(A(3)), "d"(B(0)), "d"(B(1)));
  else
    asm("mma.sync.aligned.m16n8k16.row.col.f64.f64.f64.f64 {%0,%1,%2,%3}, {%4,%5,%6,%7,%8,%9,%10,%11}, {%12,%13,%14,%15}, {%0,%1,%2,%3};"
        : "+d"(d[0]), "+d"(d[1]), "+d"(e[0]), "+d"(e[1])
        : "d"(A(0)), "d"(A(1)), "d"(A(2)), "d"(A(3)), "d"(A(4)), "d"(A(5)), "d"(A(6)), "d"(A(7)), "d"(B(0)), "d"(B(1)), "d"(B(2)),
          "d"(B(3)));
}
static void check_doubles(void (*kernel)(const double*, const double*, double*), int m, int k) {
  std::vector<double> a(m * k), b(8 * k), c(m * 8);
  uint64_t seed = 5;
  for (auto* list : {&a, &b, &c})
    for (double& v : *list) v = static_cast<int>(next_random(seed) % 1000) / 8.0 - 60;
  Device<double> da(a), db(b), dc(c);
  kernel<<<1, 32>>>(da.data, db.data, dc.data);
  CUDA(cudaDeviceSynchronize());
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < 8; ++j)
      for (int l = 0; l < k; ++l) c[i * 8 + j] += a[i * k + l] * b[j * k + l];
  EXPECT(dc.host() == c);
}
PROGRAM(doubles_in_tensor_cores) {
  check_doubles(doubles_m8k4, 8, 4);
  check_doubles(doubles_m16<4>, 16, 4);
  check_doubles(doubles_m16<8>, 16, 8);
  check_doubles(doubles_m16<16>, 16, 16);
}

// Four matrices of 8 x 8: stored in rows or, with .trans, in columns.
__global__ void store_matrices(const uint32_t* in, uint16_t* out) {
  __shared__ __align__(16) uint16_t tiles[5][256];
  const uint32_t* r = in + threadIdx.x;
  const auto row = [&](int tile) { return shared_address(&tiles[tile][threadIdx.x * 8]); };
  const auto store4 = [&](uint32_t at) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(at), "r"(r[0]), "r"(r[32]), "r"(r[64]), "r"(r[96])
                 : "memory");
  };
  store4(row(0));
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(row(1)), "r"(r[0]), "r"(r[32]), "r"(r[64]),
               "r"(r[96])
               : "memory");
  store4(row(2)), store4(row(3)), store4(row(4));
  asm volatile("stmatrix.sync.aligned.m8n8.x2.shared.b16 [%0], {%1,%2};" ::"r"(row(2)), "r"(r[64]), "r"(r[96]) : "memory");
  asm volatile("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%0], {%1};" ::"r"(row(3)), "r"(r[32]) : "memory");
  asm volatile("stmatrix.sync.aligned.m8n8.x2.trans.shared::cta.b16 [%0], {%1,%2};" ::"r"(row(4)), "r"(r[32]), "r"(r[0]) : "memory");
  __syncwarp();
  for (int i = threadIdx.x; i < 5 * 256; i += 32) out[i] = tiles[i / 256][i % 256];
}
PROGRAM(matrix_stores) {
  std::vector<uint32_t> in(128);
  const auto element = [](int matrix, int row, int column) { return static_cast<uint16_t>(matrix * 64 + row * 8 + column); };
  for (int i = 0; i < 128; ++i) {
    const int row = i % 32 / 4, column = i % 4 * 2;
    in[i] = element(i / 32, row, column) | static_cast<uint32_t>(element(i / 32, row, column + 1)) << 16;
  }
  Device<uint32_t> din(in);
  Device<uint16_t> out(5 * 256);
  store_matrices<<<1, 32>>>(din.data, out.data);
  CUDA(cudaDeviceSynchronize());
  const auto got = out.host();
  const struct {
    int from[4];
    int transposed;  // the first matrices
  } want[5] = {{{0, 1, 2, 3}, 0}, {{0, 1, 2, 3}, 4}, {{2, 3, 2, 3}, 0}, {{1, 1, 2, 3}, 0}, {{1, 0, 2, 3}, 2}};
  for (int tile = 0; tile < 5; ++tile)
    for (int m = 0; m < 4; ++m)
      for (int r = 0; r < 8; ++r)
        for (int c = 0; c < 8; ++c) {
          const int from = want[tile].from[m];
          EXPECT(got[tile * 256 + m * 64 + r * 8 + c] == (m < want[tile].transposed ? element(from, c, r) : element(from, r, c)));
        }
}

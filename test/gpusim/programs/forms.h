// Tensor-core instructions as forms: matrices of small whole numbers are encoded, laid out in registers by the tables of the manual, and
// the result is compared with a dense product. Beside the element types nothing here knows an instruction.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "harness.h"

enum class Kind { kF16, kBf16, kTf32, kE4m3, kE5m2, kS8, kU8, kS4, kU4, kB1, kF32, kS32 };

inline int kind_bits(Kind kind) {
  switch (kind) {
    case Kind::kF16:
    case Kind::kBf16: return 16;
    case Kind::kE4m3:
    case Kind::kE5m2:
    case Kind::kS8:
    case Kind::kU8: return 8;
    case Kind::kS4:
    case Kind::kU4: return 4;
    case Kind::kB1: return 1;
    default: return 32;
  }
}

template <class T>
uint32_t raw(T value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}
inline uint32_t encode(Kind kind, int value) {
  const auto f = static_cast<float>(value);
  switch (kind) {
    case Kind::kF16: return raw(__float2half(f));
    case Kind::kBf16: return raw(__float2bfloat16(f));
    case Kind::kE4m3: return raw(__nv_fp8_e4m3(f));
    case Kind::kE5m2: return raw(__nv_fp8_e5m2(f));
    case Kind::kF32:
    case Kind::kTf32: return raw(f);
    default: return static_cast<uint32_t>(value) & (~0u >> (32 - kind_bits(kind)));
  }
}
inline int some_value(Kind kind, uint64_t& seed) {
  const int r = static_cast<int>(next_random(seed));
  switch (kind) {
    case Kind::kS8: return r % 256 - 128;
    case Kind::kU8: return r % 256;
    case Kind::kS4: return r % 16 - 8;
    case Kind::kU4: return r % 16;
    case Kind::kB1: return r % 2;
    default: return r % 9 - 4;
  }
}

using FormKernel = void (*)(const uint32_t* a, const uint32_t* b, const uint32_t* c, const uint32_t* metadata, uint32_t* d);
struct Form {
  const char* name;
  FormKernel kernel;
  int m, n, k;
  Kind a, b, acc;
  bool is_sparse = false;
  int selector = 0;
  enum Op { kMultiply, kXor, kAnd } op = kMultiply;
};

// Registers hold E elements each: row g or g + 8, columns E t ... and from the third register on 4 E further.
inline std::vector<uint32_t> lay_out_a(const Form& f, const std::vector<int>& values, int columns) {
  const int bits = kind_bits(f.a), each = 32 / bits, registers = f.m * columns / 32 / each;
  std::vector<uint32_t> words(registers * 32, 0);
  for (int r = 0; r < registers; ++r)
    for (int lane = 0; lane < 32; ++lane)
      for (int e = 0; e < each; ++e) {
        const int row = lane / 4 + (f.m == 16 && r % 2 ? 8 : 0);
        const int column = lane % 4 * each + e + (f.m == 16 ? r / 2 : r) * 4 * each;
        words[r * 32 + lane] |= encode(f.a, values[row * columns + column]) << bits * e;
      }
  return words;
}
inline std::vector<uint32_t> lay_out_b(const Form& f, const std::vector<int>& values) {  // n x k
  const int bits = kind_bits(f.b), each = 32 / bits, registers = f.n * f.k / 32 / each;
  std::vector<uint32_t> words(registers * 32, 0);
  for (int r = 0; r < registers; ++r)
    for (int lane = 0; lane < 32; ++lane)
      for (int e = 0; e < each; ++e)
        words[r * 32 + lane] |= encode(f.b, values[lane / 4 * f.k + lane % 4 * each + e + 4 * each * r]) << bits * e;
  return words;
}
inline std::vector<uint32_t> lay_out_c(const Form& f, const std::vector<int>& values) {
  const int bits = kind_bits(f.acc), each = 32 / bits, registers = f.m * f.n / 32 / each;
  std::vector<uint32_t> words(registers * 32, 0);
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < registers * each; ++i)
      words[i / each * 32 + lane] |= encode(f.acc, values[(lane / 4 + i / 2 * 8) * f.n + lane % 4 * 2 + i % 2]) << bits * (i % each);
  return words;
}

struct SparseRows {
  std::vector<int> dense, stored;  // m x k and m x k / 2
  std::vector<uint32_t> nibbles;   // by row and chunk
};
inline SparseRows sparse_rows(const Form& f, uint64_t& seed) {
  static constexpr int pairs[6][2] = {{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}};
  const int width = kind_bits(f.a) == 32 ? 2 : kind_bits(f.a) == 4 ? 8 : 4;
  SparseRows s;
  s.dense.assign(f.m * f.k, 0);
  for (int row = 0; row < f.m; ++row)
    for (int chunk = 0; chunk < f.k / width; ++chunk) {
      int* to = &s.dense[row * f.k + chunk * width];
      const auto keep = [&](int at) { s.stored.push_back(to[at] = some_value(f.a, seed)); };
      const int which = static_cast<int>(next_random(seed) % 6);
      if (width == 2) {
        keep(which % 2);
        s.nibbles.push_back(which % 2 ? 0xE : 0x4);
        continue;
      }
      for (const int at : pairs[which])
        for (int e = 0; e < width / 4; ++e) keep(at * (width / 4) + e);
      s.nibbles.push_back(static_cast<uint32_t>(pairs[which][0] | pairs[which][1] << 2));
    }
  return s;
}
// The lanes that the selector names have the nibbles; the others hold what would be illegal.
inline std::vector<uint32_t> lay_out_metadata(const Form& f, const SparseRows& s) {
  const int chunks = static_cast<int>(s.nibbles.size()) / f.m;
  std::vector<uint32_t> words(32, 0);
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4;
    const bool wide = kind_bits(f.a) >= 16, all = chunks == 16, pair = !all && (!wide || chunks == 8);
    if (!all && (pair ? t / 2 : t) != f.selector) continue;
    for (int q = 0; q < 8; ++q) {
      const int row = wide ? g + 8 * (q / 4) : g + 8 * (t % 2);
      const int chunk = wide ? q % 4 + (pair ? t % 2 * 4 : 0) : q + (all ? t / 2 * 8 : 0);
      words[lane] |= s.nibbles[row * chunks + chunk] << 4 * q;
    }
  }
  return words;
}

inline void check_form(const Form& f) {
  uint64_t seed = 77;
  std::vector<int> a(f.m * f.k), b(f.n * f.k), c(f.m * f.n);
  for (int& v : a) v = some_value(f.a, seed);
  for (int& v : b) v = some_value(f.b, seed);
  for (int& v : c) v = some_value(Kind::kF16, seed);
  SparseRows s;
  std::vector<uint32_t> metadata(32, 0);
  if (f.is_sparse) {
    s = sparse_rows(f, seed);
    a = s.dense;
    metadata = lay_out_metadata(f, s);
  }
  std::vector<int> want(f.m * f.n);
  for (int i = 0; i < f.m; ++i)
    for (int j = 0; j < f.n; ++j) {
      int sum = c[i * f.n + j];
      for (int l = 0; l < f.k; ++l) {
        const int x = a[i * f.k + l], y = b[j * f.k + l];
        sum += f.op == Form::kXor ? x ^ y : f.op == Form::kAnd ? x & y : x * y;
      }
      want[i * f.n + j] = sum;
    }
  Device<uint32_t> da(f.is_sparse ? lay_out_a(f, s.stored, f.k / 2) : lay_out_a(f, a, f.k)), db(lay_out_b(f, b)), dc(lay_out_c(f, c)),
      dm(metadata), out(dc.size);
  f.kernel<<<1, 32>>>(da.data, db.data, dc.data, dm.data, out.data);
  CUDA(cudaDeviceSynchronize());
  if (out.host() == lay_out_c(f, want)) return;
  std::printf("FAIL %s\n", f.name);
  ++failures();
}

#define FORM_REGISTERS(name, T)                                                                                          \
  __global__ void name(const uint32_t* a, const uint32_t* b, const uint32_t* c, const uint32_t* metadata, uint32_t* d) { \
    const int l = threadIdx.x;                                                                                           \
    (void)metadata;                                                                                                      \
    T x[4] = {};
#define FORM_LOAD(count) \
  for (int i = 0; i < count; ++i) memcpy(&x[i], &c[32 * i + l], 4);
#define FORM_STORE(count)                                           \
  for (int i = 0; i < count; ++i) memcpy(&d[32 * i + l], &x[i], 4); \
  }
// The numbers of registers of A, B and C; T and its letter: float "f" or uint32_t "r".
#define FORM_4_2_4(name, T, L, op)                                                                      \
  FORM_REGISTERS(name, T)                                                                               \
  FORM_LOAD(4)                                                                                          \
  asm volatile(op " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                              \
               : "+" L(x[0]), "+" L(x[1]), "+" L(x[2]), "+" L(x[3])                                     \
               : "r"(a[l]), "r"(a[32 + l]), "r"(a[64 + l]), "r"(a[96 + l]), "r"(b[l]), "r"(b[32 + l])); \
  FORM_STORE(4)
#define FORM_2_1_4(name, T, L, op)                                  \
  FORM_REGISTERS(name, T)                                           \
  FORM_LOAD(4)                                                      \
  asm volatile(op " {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"   \
               : "+" L(x[0]), "+" L(x[1]), "+" L(x[2]), "+" L(x[3]) \
               : "r"(a[l]), "r"(a[32 + l]), "r"(b[l]));             \
  FORM_STORE(4)
#define FORM_1_1_2(name, T, L, op)                                                                     \
  FORM_REGISTERS(name, T)                                                                              \
  FORM_LOAD(2)                                                                                         \
  asm volatile(op " {%0,%1}, {%2}, {%3}, {%0,%1};" : "+" L(x[0]), "+" L(x[1]) : "r"(a[l]), "r"(b[l])); \
  FORM_STORE(2)
#define FORM_4_2_2(name, T, L, op)                                                                      \
  FORM_REGISTERS(name, T)                                                                               \
  FORM_LOAD(2)                                                                                          \
  asm volatile(op " {%0,%1}, {%2,%3,%4,%5}, {%6,%7}, {%0,%1};"                                          \
               : "+" L(x[0]), "+" L(x[1])                                                               \
               : "r"(a[l]), "r"(a[32 + l]), "r"(a[64 + l]), "r"(a[96 + l]), "r"(b[l]), "r"(b[32 + l])); \
  FORM_STORE(2)
#define FORM_2_1_2(name, T, L, op)                                                                                        \
  FORM_REGISTERS(name, T)                                                                                                 \
  FORM_LOAD(2)                                                                                                            \
  asm volatile(op " {%0,%1}, {%2,%3}, {%4}, {%0,%1};" : "+" L(x[0]), "+" L(x[1]) : "r"(a[l]), "r"(a[32 + l]), "r"(b[l])); \
  FORM_STORE(2)
#define FORM_SP_4_4_4(name, T, L, op, selector)                                                                                        \
  FORM_REGISTERS(name, T)                                                                                                              \
  FORM_LOAD(4)                                                                                                                         \
  asm volatile(op " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, {%0,%1,%2,%3}, %12, " #selector ";"                                 \
               : "+" L(x[0]), "+" L(x[1]), "+" L(x[2]), "+" L(x[3])                                                                    \
               : "r"(a[l]), "r"(a[32 + l]), "r"(a[64 + l]), "r"(a[96 + l]), "r"(b[l]), "r"(b[32 + l]), "r"(b[64 + l]), "r"(b[96 + l]), \
                 "r"(metadata[l]));                                                                                                    \
  FORM_STORE(4)
#define FORM_SP_2_2_4(name, T, L, op, selector)                                           \
  FORM_REGISTERS(name, T)                                                                 \
  FORM_LOAD(4)                                                                            \
  asm volatile(op " {%0,%1,%2,%3}, {%4,%5}, {%6,%7}, {%0,%1,%2,%3}, %8, " #selector ";"   \
               : "+" L(x[0]), "+" L(x[1]), "+" L(x[2]), "+" L(x[3])                       \
               : "r"(a[l]), "r"(a[32 + l]), "r"(b[l]), "r"(b[32 + l]), "r"(metadata[l])); \
  FORM_STORE(4)
#define FORM_SP_4_4_2(name, T, L, op, selector)                                                                                        \
  FORM_REGISTERS(name, T)                                                                                                              \
  FORM_LOAD(2)                                                                                                                         \
  asm volatile(op " {%0,%1}, {%2,%3,%4,%5}, {%6,%7,%8,%9}, {%0,%1}, %10, " #selector ";"                                               \
               : "+" L(x[0]), "+" L(x[1])                                                                                              \
               : "r"(a[l]), "r"(a[32 + l]), "r"(a[64 + l]), "r"(a[96 + l]), "r"(b[l]), "r"(b[32 + l]), "r"(b[64 + l]), "r"(b[96 + l]), \
                 "r"(metadata[l]));                                                                                                    \
  FORM_STORE(2)

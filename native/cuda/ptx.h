// The PTX instructions that CUDA C++ has no name for, one function each, for sm_80 and later. Fragment layouts: PTX ISA, "Matrix fragments
// for mma.m16n8k.." and "sparse mma": lane 4g + t of a warp holds rows g and g + 8 of A and columns 2t and 2t + 1 of the sums.
#pragma once

#include <cstdint>
#include <utility>

namespace sk {

// A number that is known when compiling, also inside the function it is passed to.
template <int kValue>
struct Constant {
  __device__ constexpr operator int() const { return kValue; }
};

// Calls f(Constant<0>()) .. f(Constant<kCount - 1>()): an unrolled loop.
template <class F, int... kIndex>
__device__ inline void unrolled(F&& f, std::integer_sequence<int, kIndex...>) {
  (f(Constant<kIndex>()), ...);
}
template <int kCount, class F>
__device__ inline void unrolled(F&& f) {
  unrolled(f, std::make_integer_sequence<int, kCount>());
}

}  // namespace sk

namespace sk::ptx {

// The address of shared memory as the instructions below take it.
__device__ inline uint32_t shared_address(const void* pointer) { return static_cast<uint32_t>(__cvta_generic_to_shared(pointer)); }

// Addresses in shared memory come as a register and a constant, which costs nothing where it is known when compiling.

// Copies 16 bytes from global to shared memory in the background, past L1; both 16-byte aligned.
template <int kOffset = 0>
__device__ inline void cp_async16(uint32_t to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0 + %2], [%1], 16;\n" ::"r"(to), "l"(from), "n"(kOffset) : "memory");
}
// Of the source only the first `valid` bytes (0 .. 16) are read, the rest become 0.
template <int kOffset = 0>
__device__ inline void cp_async16(uint32_t to, const void* from, int valid) {
  asm volatile("cp.async.cg.shared.global [%0 + %3], [%1], 16, %2;\n" ::"r"(to), "l"(from), "r"(valid), "n"(kOffset) : "memory");
}
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
// Waits until at most `kPending` of the thread's groups are under way.
template <int kPending>
__device__ inline void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

template <int kOffset = 0>
__device__ inline uint32_t load_shared(uint32_t address) {
  uint32_t word;
  asm volatile("ld.shared.u32 %0, [%1 + %2];\n" : "=r"(word) : "r"(address), "n"(kOffset) : "memory");
  return word;
}

// 16-byte aligned.
template <int kOffset = 0>
__device__ inline void load_shared4(uint32_t (&x)[4], uint32_t address) {
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4 + %5];\n"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(address), "n"(kOffset)
               : "memory");
}

// 8-byte aligned.
template <int kOffset = 0>
__device__ inline void load_shared2(uint32_t (&x)[2], uint32_t address) {
  asm volatile("ld.shared.v2.u32 {%0, %1}, [%2 + %3];\n" : "=r"(x[0]), "=r"(x[1]) : "r"(address), "n"(kOffset) : "memory");
}

__device__ inline void load_shared(float (&x)[1], uint32_t address) {
  asm volatile("ld.shared.f32 %0, [%1];\n" : "=f"(x[0]) : "r"(address) : "memory");
}
// 16-byte aligned.
__device__ inline void load_shared(float (&x)[4], uint32_t address) {
  asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];\n" : "=f"(x[0]), "=f"(x[1]), "=f"(x[2]), "=f"(x[3]) : "r"(address) : "memory");
}

// Two numbers, 8-byte aligned. Plain assignments of vectors are taken apart by the compiler at times.
template <int kOffset = 0>
__device__ inline void store_shared2(uint32_t address, float a, float b) {
  asm volatile("st.shared.v2.f32 [%0 + %3], {%1, %2};\n" ::"r"(address), "f"(a), "f"(b), "n"(kOffset) : "memory");
}

// Four 8x8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8.
template <int kOffset = 0>
__device__ inline void ldmatrix_x4(uint32_t (&r)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4 + %5];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address), "n"(kOffset)
               : "memory");
}

// Four 8x8 matrices, transposed: lane 4g + t gets elements (2t, g) and (2t + 1, g).
template <int kOffset = 0>
__device__ inline void ldmatrix_x4_trans(uint32_t (&r)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4 + %5];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address), "n"(kOffset)
               : "memory");
}

// a - b of two float16 each.
__device__ inline uint32_t subtract_halves(uint32_t a, uint32_t b) {
  uint32_t difference;
  asm("sub.rn.f16x2 %0, %1, %2;\n" : "=r"(difference) : "r"(a), "r"(b));
  return difference;
}

__device__ inline uint32_t multiply_halves(uint32_t a, uint32_t b) {
  uint32_t product;
  asm("mul.rn.f16x2 %0, %1, %2;\n" : "=r"(product) : "r"(a), "r"(b));
  return product;
}
// a * b + c, rounded once.
__device__ inline uint32_t multiply_add_halves(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t sum;
  asm("fma.rn.f16x2 %0, %1, %2, %3;\n" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
  return sum;
}

template <uint32_t kMask, uint32_t kBits>
__device__ inline uint32_t and_or(uint32_t a) {
  uint32_t result;
  asm("lop3.b32 %0, %1, %2, %3, 0xEA;\n" : "=r"(result) : "r"(a), "n"(kMask), "n"(kBits));
  return result;
}

// d += A * B, m16n8k16.
__device__ inline void mma_f16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// d += A * B for a 2:4 (tf32: 1:2) sparse A, whose 4 registers hold the kept elements. `metadata` is legal in the pair of lanes that
// kSelector names (8-bit types: in all lanes, kSelector 0).
template <int kSelector>
__device__ inline void mma_sp_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  asm volatile(
      "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9, %10, %11}, "
      "{%0, %1, %2, %3}, %12, %13;\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata), "n"(kSelector));
}
template <int kSelector>
__device__ inline void mma_sp_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  asm volatile(
      "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9, %10, %11}, "
      "{%0, %1, %2, %3}, %12, %13;\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata), "n"(kSelector));
}
template <int kSelector>
__device__ inline void mma_sp_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  asm volatile(
      "mma.sp::ordered_metadata.sync.aligned.m16n8k16.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9, %10, %11}, "
      "{%0, %1, %2, %3}, %12, %13;\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata), "n"(kSelector));
}
__device__ inline void mma_sp_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  asm volatile(
      "mma.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9, %10, %11}, "
      "{%0, %1, %2, %3}, %12, 0x0;\n"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata));
}

}  // namespace sk::ptx

// Every class of instructions against host arithmetic on tricky values: extremes, signs, NaN, denormals, ties.
#include <cuda_fp16.h>

#include <cfenv>
#include <limits>

#include "harness.h"

namespace {

template <class T>
T bits_as(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
uint64_t bits_of(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}
// Equal bits; any NaN equals any NaN.
template <class T>
bool same(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    if (a != a || b != b) return a != a && b != b;
  return bits_of(a) == bits_of(b);
}

template <class T>
std::vector<T> tricky() {
  std::vector<T> v;
  if constexpr (std::is_same_v<T, float>) {
    for (const uint32_t b :
         {0u,          0x80000000u, 0x3f800000u, 0xbf800000u, 0x7f800000u, 0xff800000u, 0x7fc00000u, 0x00000001u, 0x807fffffu,
          0x00800000u, 0x7f7fffffu, 0xff7fffffu, 0x3f000000u, 0x3fc00000u, 0x40200000u, 0xbfc00000u, 0x4b800000u, 0x4f000000u,
          0x4effffffu, 0xcf000000u, 0x5f000000u, 0x477fe000u, 0x477ff000u, 0x33000000u, 0x33800000u, 0x40490fdbu})
      v.push_back(bits_as<float>(b));
  } else if constexpr (std::is_same_v<T, double>) {
    for (const double d : {0.0,
                           -0.0,
                           1.0,
                           -1.5,
                           2.5,
                           1e308,
                           -1e308,
                           4.9e-324,
                           -2.2250738585072014e-308,
                           1e-310,
                           3.4028235677973366e38,
                           1.0000000596046448,
                           2147483647.5,
                           -2147483648.5,
                           4294967295.0,
                           9.3e18,
                           -9.3e18,
                           0.1,
                           1.17549435e-38,
                           7e-46,
                           (double)INFINITY,
                           -(double)INFINITY,
                           (double)NAN})
      v.push_back(d);
  } else {
    using U = std::make_unsigned_t<T>;
    for (const U u : {U(0),
                      U(1),
                      U(2),
                      U(3),
                      U(7),
                      U(31),
                      U(32),
                      U(33),
                      U(63),
                      U(64),
                      U(127),
                      U(128),
                      U(255),
                      U(256),
                      U(-1),
                      U(-2),
                      U(-7),
                      U(U(1) << (8 * sizeof(T) - 1)),
                      U((U(1) << (8 * sizeof(T) - 1)) - 1),
                      U(0x5a5a5a5a5a5a5a5aull),
                      U(0x123456789abcdef0ull),
                      U(0x80018001u),
                      U(0xffff0000u)})
      v.push_back(static_cast<T>(u));
  }
  return v;
}

// All pairs (or triples of a smaller set) of the tricky values of each operand.
template <class A, class B, class C>
struct Cases {
  std::vector<A> a;
  std::vector<B> b;
  std::vector<C> c;
};
template <class A, class B, class C>
Cases<A, B, C> all(int operands) {
  Cases<A, B, C> cases;
  const auto va = tricky<A>();
  const auto vb = tricky<B>();
  const auto vc = tricky<C>();
  for (size_t i = 0; i < va.size(); ++i)
    for (size_t j = 0; j < (operands > 1 ? vb.size() : 1); ++j)
      for (size_t k = 0; k < (operands > 2 ? vc.size() : 1); k += 2)
        cases.a.push_back(va[i]), cases.b.push_back(vb[j]), cases.c.push_back(vc[(k + i + j) % vc.size()]);
  return cases;
}

template <class D, class A, class B, class C, class Host>
void check(const char* what, void (*kernel)(const A*, const B*, const C*, D*, int), int operands, Host host) {
  const auto cases = all<A, B, C>(operands);
  const int n = static_cast<int>(cases.a.size());
  Device<A> a(cases.a);
  Device<B> b(cases.b);
  Device<C> c(cases.c);
  Device<D> d(n);
  kernel<<<(n + 127) / 128, 128>>>(a.data, b.data, c.data, d.data, n);
  CUDA(cudaDeviceSynchronize());
  const auto got = d.host();
  int wrong = 0;
  for (int i = 0; i < n; ++i) {
    const D want = host(cases.a[i], cases.b[i], cases.c[i]);
    if (same(got[i], want)) continue;
    if (wrong++ == 0)
      std::printf("FAIL %s: %llx, %llx, %llx -> %llx, expected %llx\n", what, (unsigned long long)bits_of(cases.a[i]),
                  (unsigned long long)bits_of(cases.b[i]), (unsigned long long)bits_of(cases.c[i]), (unsigned long long)bits_of(got[i]),
                  (unsigned long long)bits_of(want));
  }
  failures() += wrong;
}

float flush(float x) { return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x; }
template <class T>
T rounded(int mode, T (*f)(T, T, T), T a, T b, T c) {
  std::fesetround(mode);
  volatile T x = a, y = b, z = c;
  volatile T r = f(x, y, z);
  std::fesetround(FE_TONEAREST);
  return r;
}

}  // namespace

#define KERNEL(name, D, A, B, C, text, ...)                                   \
  __global__ void name(const A* pa, const B* pb, const C* pc, D* pd, int n) { \
    const int i = blockIdx.x * blockDim.x + threadIdx.x;                      \
    if (i >= n) return;                                                       \
    const A a = pa[i];                                                        \
    const B b = pb[i];                                                        \
    const C c = pc[i];                                                        \
    D d;                                                                      \
    (void)b, (void)c;                                                         \
    asm volatile(text : __VA_ARGS__);                                         \
    pd[i] = d;                                                                \
  }
#define OUT(l) "=" l(d)
#define UNUSED (void)a, (void)b, (void)c

#define I32 int32_t
#define U32 uint32_t
#define I64 int64_t
#define U64 uint64_t

// name, types, constraint letters, text, number of operands, host expression
#define OP(name, D, A, B, C, ld, la, lb, lc, text, operands, ...)         \
  KERNEL(k_##name, D, A, B, C, text, OUT(ld) : la(a), lb(b), lc(c))       \
  static void t_##name() {                                                \
    check<D, A, B, C>(#name, k_##name, operands, [](A a, B b, C c) -> D { \
      UNUSED;                                                             \
      return __VA_ARGS__;                                                 \
    });                                                                   \
  }

OP(add_s32, I32, I32, I32, I32, "r", "r", "r", "r", "add.s32 %0, %1, %2;", 2, (I32)((U32)a + (U32)b))
OP(add_sat_s32, I32, I32, I32, I32, "r", "r", "r", "r", "add.sat.s32 %0, %1, %2;", 2,
   (I32)std::min<I64>(std::max<I64>((I64)a + b, INT32_MIN), INT32_MAX))
OP(sub_sat_s32, I32, I32, I32, I32, "r", "r", "r", "r", "sub.sat.s32 %0, %1, %2;", 2,
   (I32)std::min<I64>(std::max<I64>((I64)a - b, INT32_MIN), INT32_MAX))
OP(sub_s64, I64, I64, I64, I64, "l", "l", "l", "l", "sub.s64 %0, %1, %2;", 2, (I64)((U64)a - (U64)b))
OP(mul_hi_s32, I32, I32, I32, I32, "r", "r", "r", "r", "mul.hi.s32 %0, %1, %2;", 2, (I32)((I64)a * b >> 32))
OP(mul_hi_u64, U64, U64, U64, U64, "l", "l", "l", "l", "mul.hi.u64 %0, %1, %2;", 2, (U64)((unsigned __int128)a * b >> 64))
OP(mul_hi_s64, I64, I64, I64, I64, "l", "l", "l", "l", "mul.hi.s64 %0, %1, %2;", 2, (I64)((__int128)a * b >> 64))
OP(mul_wide_s32, I64, I32, I32, I32, "l", "r", "r", "r", "mul.wide.s32 %0, %1, %2;", 2, (I64)a* b)
OP(mul_wide_u16, U32, uint16_t, uint16_t, uint16_t, "r", "h", "h", "h", "mul.wide.u16 %0, %1, %2;", 2, (U32)a* b)
OP(mad_lo_u32, U32, U32, U32, U32, "r", "r", "r", "r", "mad.lo.u32 %0, %1, %2, %3;", 3, a* b + c)
OP(mad_hi_s32, I32, I32, I32, I32, "r", "r", "r", "r", "mad.hi.s32 %0, %1, %2, %3;", 3, (I32)((U32)((I64)a * b >> 32) + (U32)c))
OP(mad_wide_u32, U64, U32, U32, U64, "l", "r", "r", "l", "mad.wide.u32 %0, %1, %2, %3;", 3, (U64)a* b + c)
OP(mul24_lo_s32, I32, I32, I32, I32, "r", "r", "r", "r", "mul24.lo.s32 %0, %1, %2;", 2,
   (I32)((I64)((I32)((U32)a << 8) >> 8) * ((I32)((U32)b << 8) >> 8)))
OP(mul24_hi_u32, U32, U32, U32, U32, "r", "r", "r", "r", "mul24.hi.u32 %0, %1, %2;", 2, (U32)((U64)(a & 0xffffff) * (b & 0xffffff) >> 16))
OP(sad_s32, I32, I32, I32, I32, "r", "r", "r", "r", "sad.s32 %0, %1, %2, %3;", 3, (I32)((U32)c + (U32)std::llabs((I64)a - b)))
OP(div_s32, I32, I32, I32, I32, "r", "r", "r", "r", "div.s32 %0, %1, %2;", 2, b == 0 ? -1 : b == -1 ? (I32)(0 - (U32)a) : a / b)
OP(rem_s32, I32, I32, I32, I32, "r", "r", "r", "r", "rem.s32 %0, %1, %2;", 2, b == 0 ? a : b == -1 ? 0 : a % b)
OP(div_u64, U64, U64, U64, U64, "l", "l", "l", "l", "div.u64 %0, %1, %2;", 2, b == 0 ? ~U64{0} : a / b)
OP(min_s32, I32, I32, I32, I32, "r", "r", "r", "r", "min.s32 %0, %1, %2;", 2, std::min(a, b))
OP(max_u32, U32, U32, U32, U32, "r", "r", "r", "r", "max.u32 %0, %1, %2;", 2, std::max(a, b))
OP(abs_s32, I32, I32, I32, I32, "r", "r", "r", "r", "abs.s32 %0, %1;", 1, a < 0 ? (I32)(0 - (U32)a) : a)
OP(popc_b64, U32, U64, U64, U64, "r", "l", "l", "l", "popc.b64 %0, %1;", 1, (U32)__builtin_popcountll(a))
OP(clz_b32, U32, U32, U32, U32, "r", "r", "r", "r", "clz.b32 %0, %1;", 1, a ? (U32)__builtin_clz(a) : 32u)
OP(bfind_s32, U32, I32, I32, I32, "r", "r", "r", "r", "bfind.s32 %0, %1;", 1,
   (a < 0 ? ~a : a) == 0 ? ~0u : 31u - (U32)__builtin_clz((U32)(a < 0 ? ~a : a)))
OP(bfind_shift_u64, U32, U64, U64, U64, "r", "l", "l", "l", "bfind.shiftamt.u64 %0, %1;", 1, a ? (U32)__builtin_clzll(a) : ~0u)
OP(brev_b32, U32, U32, U32, U32, "r", "r", "r", "r", "brev.b32 %0, %1;", 1, [](U32 v) {
  U32 r = 0;
  for (int i = 0; i < 32; ++i) r |= (v >> i & 1) << (31 - i);
  return r;
}(a))
OP(bfe_u32, U32, U32, U32, U32, "r", "r", "r", "r", "bfe.u32 %0, %1, %2, %3;", 3, [](U32 v, U32 p, U32 l) {
  p &= 255, l &= 255;
  U32 r = 0;
  for (U32 i = 0; i < 32; ++i)
    if (i < l && p + i < 32) r |= (v >> (p + i) & 1) << i;
  return r;
}(a, b, c))
OP(bfe_s32, I32, I32, U32, U32, "r", "r", "r", "r", "bfe.s32 %0, %1, %2, %3;", 3, [](U32 v, U32 p, U32 l) {
  p &= 255, l &= 255;
  const U32 s = l == 0 ? 0 : v >> std::min(p + l - 1, 31u) & 1;
  U32 r = 0;
  for (U32 i = 0; i < 32; ++i) r |= (i < l && p + i < 32 ? v >> (p + i) & 1 : s) << i;
  return (I32)r;
}((U32)a, b, c))
OP(bfi_b32, U32, U32, U32, U32, "r", "r", "r", "r", "bfi.b32 %0, %1, 0x0f0f5a5a, %2, %3;", 3, [](U32 v, U32 p, U32 l) {
  p &= 255, l &= 255;
  U32 r = 0x0f0f5a5a;
  for (U32 i = 0; i < l && p + i < 32; ++i) r = (r & ~(1u << (p + i))) | (i < 32 ? v >> i & 1 : 0) << (p + i);
  return r;
}(a, b, c))
OP(shl_b32, U32, U32, U32, U32, "r", "r", "r", "r", "shl.b32 %0, %1, %2;", 2, b > 31 ? 0 : a << b)
OP(shr_s32, I32, I32, U32, I32, "r", "r", "r", "r", "shr.s32 %0, %1, %2;", 2, a >> std::min(b, 31u))
OP(shr_u64, U64, U64, U32, U64, "l", "l", "r", "l", "shr.u64 %0, %1, %2;", 2, b > 63 ? 0 : a >> b)
OP(shf_l_clamp, U32, U32, U32, U32, "r", "r", "r", "r", "shf.l.clamp.b32 %0, %1, %2, %3;", 3,
   (U32)(((U64)b << 32 | a) << std::min(c, 32u) >> 32))
OP(shf_r_wrap, U32, U32, U32, U32, "r", "r", "r", "r", "shf.r.wrap.b32 %0, %1, %2, %3;", 3, (U32)(((U64)b << 32 | a) >> (c & 31)))
OP(prmt_b32, U32, U32, U32, U32, "r", "r", "r", "r", "prmt.b32 %0, %1, %2, %3;", 3, [](U32 x, U32 y, U32 s) {
  U32 r = 0;
  for (int i = 0; i < 4; ++i) {
    const U32 n = s >> 4 * i & 15;
    U32 v = ((U64)y << 32 | x) >> 8 * (n & 7) & 255;
    if (n & 8) v = v >> 7 ? 255 : 0;
    r |= v << 8 * i;
  }
  return r;
}(a, b, c))
OP(lop3_b32, U32, U32, U32, U32, "r", "r", "r", "r", "lop3.b32 %0, %1, %2, %3, 0xb4;", 3, [](U32 x, U32 y, U32 z) {
  U32 r = 0;
  for (int i = 0; i < 32; ++i) r |= (0xb4u >> ((x >> i & 1) << 2 | (y >> i & 1) << 1 | (z >> i & 1)) & 1) << i;
  return r;
}(a, b, c))
OP(dp4a_s32_u32, I32, I32, U32, I32, "r", "r", "r", "r", "dp4a.s32.u32 %0, %1, %2, %3;", 3, [](U32 x, U32 y, I32 z) {
  for (int i = 0; i < 4; ++i) z = (I32)((U32)z + (U32)((int8_t)(x >> 8 * i) * (uint8_t)(y >> 8 * i)));
  return z;
}((U32)a, b, c))
OP(dp2a_hi, I32, I32, I32, I32, "r", "r", "r", "r", "dp2a.hi.s32.s32 %0, %1, %2, %3;", 3, [](U32 x, U32 y, I32 z) {
  for (int i = 0; i < 2; ++i) z = (I32)((U32)z + (U32)((int16_t)(x >> 16 * i) * (int8_t)(y >> (16 + 8 * i))));
  return z;
}((U32)a, (U32)b, c))
OP(bmsk_clamp, U32, U32, U32, U32, "r", "r", "r", "r", "bmsk.clamp.b32 %0, %1, %2;", 2, a > 31 ? 0 : (b > 31 ? ~0u : (1u << b) - 1) << a)
OP(szext_wrap, I32, I32, U32, I32, "r", "r", "r", "r", "szext.wrap.s32 %0, %1, %2;", 2,
   (b & 31) == 0 ? 0 : (I32)((U32)a << (32 - (b & 31))) >> (32 - (b & 31)))
OP(carry_chain, U64, U64, U64, U64, "l", "l", "l", "l",
   "{.reg .b32 l1,h1,l2,h2,l,h;\n mov.b64 {l1,h1}, %1;\n mov.b64 {l2,h2}, %2;\n add.cc.u32 l, l1, l2;\n addc.u32 h, h1, h2;\n mov.b64 %0, "
   "{l,h};}",
   2, a + b)
OP(borrow_chain, U64, U64, U64, U64, "l", "l", "l", "l",
   "{.reg .b32 l1,h1,l2,h2,l,h;\n mov.b64 {l1,h1}, %1;\n mov.b64 {l2,h2}, %2;\n sub.cc.u32 l, l1, l2;\n subc.u32 h, h1, h2;\n mov.b64 %0, "
   "{l,h};}",
   2, a - b)
OP(madc_chain, U64, U32, U32, U64, "l", "r", "r", "l",
   "{.reg .b32 l,h,cl,ch;\n mov.b64 {cl,ch}, %3;\n mad.lo.cc.u32 l, %1, %2, cl;\n madc.hi.u32 h, %1, %2, ch;\n mov.b64 %0, {l,h};}", 3,
   (U64)a* b + c)

PROGRAM(integer_arithmetic) {
  t_add_s32(), t_add_sat_s32(), t_sub_sat_s32(), t_sub_s64(), t_mul_hi_s32(), t_mul_hi_u64(), t_mul_hi_s64(), t_mul_wide_s32(),
      t_mul_wide_u16(), t_mad_lo_u32();
  t_mad_hi_s32(), t_mad_wide_u32(), t_mul24_lo_s32(), t_mul24_hi_u32(), t_sad_s32(), t_div_s32(), t_rem_s32(), t_div_u64(), t_min_s32(),
      t_max_u32(), t_abs_s32();
  t_dp4a_s32_u32(), t_dp2a_hi(), t_carry_chain(), t_borrow_chain(), t_madc_chain();
}
PROGRAM(bit_operations) {
  t_popc_b64(), t_clz_b32(), t_bfind_s32(), t_bfind_shift_u64(), t_brev_b32(), t_bfe_u32(), t_bfe_s32(), t_bfi_b32(), t_shl_b32(),
      t_shr_s32(), t_shr_u64();
  t_shf_l_clamp(), t_shf_r_wrap(), t_prmt_b32(), t_lop3_b32(), t_bmsk_clamp(), t_szext_wrap();
}

#define F32OP(name, text, operands, ...) OP(name, float, float, float, float, "f", "f", "f", "f", text, operands, __VA_ARGS__)
#define F64OP(name, text, operands, ...) OP(name, double, double, double, double, "d", "d", "d", "d", text, operands, __VA_ARGS__)
F32OP(add_rn_f32, "add.rn.f32 %0, %1, %2;", 2, a + b)
F32OP(add_rz_f32, "add.rz.f32 %0, %1, %2;", 2, (rounded<float>(FE_TOWARDZERO, [](float x, float y, float) { return x + y; }, a, b, c)))
F32OP(add_rm_f32, "add.rm.f32 %0, %1, %2;", 2, (rounded<float>(FE_DOWNWARD, [](float x, float y, float) { return x + y; }, a, b, c)))
F32OP(mul_rp_f32, "mul.rp.f32 %0, %1, %2;", 2, (rounded<float>(FE_UPWARD, [](float x, float y, float) { return x * y; }, a, b, c)))
F32OP(fma_rn_f32, "fma.rn.f32 %0, %1, %2, %3;", 3, std::fma(a, b, c))
F32OP(fma_rz_f32, "fma.rz.f32 %0, %1, %2, %3;", 3,
      (rounded<float>(FE_TOWARDZERO, [](float x, float y, float z) { return std::fma(x, y, z); }, a, b, c)))
F32OP(mul_ftz_f32, "mul.ftz.f32 %0, %1, %2;", 2, flush(flush(a) * flush(b)))
F32OP(add_sat_f32, "add.sat.f32 %0, %1, %2;", 2, a + b > 0 ? std::min(a + b, 1.0f) : 0.0f)
F32OP(div_rn_f32, "div.rn.f32 %0, %1, %2;", 2, a / b)
F32OP(div_rz_f32, "div.rz.f32 %0, %1, %2;", 2, (rounded<float>(FE_TOWARDZERO, [](float x, float y, float) { return x / y; }, a, b, c)))
F32OP(rcp_rn_f32, "rcp.rn.f32 %0, %1;", 1, 1.0f / a)
F32OP(sqrt_rn_f32, "sqrt.rn.f32 %0, %1;", 1, std::sqrt(a))
F32OP(sqrt_rp_f32, "sqrt.rp.f32 %0, %1;", 1, (rounded<float>(FE_UPWARD, [](float x, float, float) { return std::sqrt(x); }, a, b, c)))
F32OP(rsqrt_f32, "rsqrt.approx.f32 %0, %1;", 1, (float)(1 / std::sqrt((double)a)))
F32OP(ex2_f32, "ex2.approx.f32 %0, %1;", 1, (float)std::exp2((double)a))
F32OP(lg2_ftz_f32, "lg2.approx.ftz.f32 %0, %1;", 1, (float)std::log2((double)flush(a)))
F32OP(tanh_f32, "tanh.approx.f32 %0, %1;", 1, (float)std::tanh((double)a))
F32OP(min_f32, "min.f32 %0, %1, %2;", 2, a != a ? b : b != b ? a : a == b ? (std::signbit(a) ? a : b) : std::min(a, b))
F32OP(max_nan_f32, "max.NaN.f32 %0, %1, %2;", 2, a != a || b != b ? NAN : a == b ? (std::signbit(a) ? b : a) : std::max(a, b))
F32OP(copysign_f32, "copysign.f32 %0, %1, %2;", 2, std::copysign(b, a))
F32OP(rni_f32, "cvt.rni.f32.f32 %0, %1;", 1, std::nearbyint(a))
F32OP(rpi_f32, "cvt.rpi.f32.f32 %0, %1;", 1, std::ceil(a))
F64OP(add_rn_f64, "add.rn.f64 %0, %1, %2;", 2, a + b)
F64OP(fma_rm_f64, "fma.rm.f64 %0, %1, %2, %3;", 3,
      (rounded<double>(FE_DOWNWARD, [](double x, double y, double z) { return std::fma(x, y, z); }, a, b, c)))
F64OP(div_rp_f64, "div.rp.f64 %0, %1, %2;", 2, (rounded<double>(FE_UPWARD, [](double x, double y, double) { return x / y; }, a, b, c)))
F64OP(max_f64, "max.f64 %0, %1, %2;", 2, a != a ? b : b != b ? a : a == b ? (std::signbit(a) ? b : a) : std::max(a, b))

OP(cvt_rzi_s32, I32, float, float, float, "r", "f", "f", "f", "cvt.rzi.s32.f32 %0, %1;", 1,
   a != a               ? 0
   : a >= 2147483648.0f ? INT32_MAX
   : a < -2147483648.0f ? INT32_MIN
                        : (I32)a)
OP(cvt_rni_u32, U32, float, float, float, "r", "f", "f", "f", "cvt.rni.u32.f32 %0, %1;", 1,
   a != a                               ? 0u
   : std::nearbyint(a) >= 4294967296.0f ? ~0u
   : std::nearbyint(a) <= 0             ? 0u
                                        : (U32)std::nearbyint(a))
OP(cvt_rmi_s64_f64, I64, double, double, double, "l", "d", "d", "d", "cvt.rmi.s64.f64 %0, %1;", 1,
   a != a                                   ? INT64_MIN
   : std::floor(a) >= 9223372036854775808.0 ? INT64_MAX
   : std::floor(a) < -9223372036854775808.0 ? INT64_MIN
                                            : (I64)std::floor(a))
OP(cvt_s8_sat, I32, float, float, float, "r", "f", "f", "f", "cvt.rni.sat.s8.f32 %0, %1;", 1,
   a != a ? 0 : (I32)std::min(std::max(std::nearbyint(a), -128.0f), 127.0f))
OP(cvt_rn_f32_s64, float, I64, I64, I64, "f", "l", "l", "l", "cvt.rn.f32.s64 %0, %1;", 1, (float)a)
OP(cvt_rz_f32_u32, float, U32, U32, U32, "f", "r", "r", "r", "cvt.rz.f32.u32 %0, %1;", 1, (std::fesetround(FE_TOWARDZERO), [](U32 v) {
     volatile U32 x = v;
     volatile float r = (float)x;
     std::fesetround(FE_TONEAREST);
     return (float)r;
   }(a)))
OP(cvt_rn_f32_f64, float, double, double, double, "f", "d", "d", "d", "cvt.rn.f32.f64 %0, %1;", 1, (float)a)
OP(cvt_f64_f32, double, float, float, float, "d", "f", "f", "f", "cvt.f64.f32 %0, %1;", 1, (double)a)
OP(cvt_u8, U32, U32, U32, U32, "r", "r", "r", "r", "cvt.u8.u32 %0, %1;", 1, a & 255)
OP(cvt_sat_u8, U32, I32, I32, I32, "r", "r", "r", "r", "cvt.sat.u8.s32 %0, %1;", 1, (U32)std::min(std::max(a, 0), 255))
OP(cvt_s64_s32, I64, I32, I32, I32, "l", "r", "r", "r", "cvt.s64.s32 %0, %1;", 1, (I64)a)
OP(cvt_s32_s64, I32, I64, I64, I64, "r", "l", "l", "l", "cvt.s32.s64 %0, %1;", 1, (I32)a)
OP(cvt_s16_u64, I32, U64, U64, U64, "r", "l", "l", "l", "cvt.s16.u64 %0, %1;", 1, (I32)(int16_t)a)
OP(cvt_pack, U32, I32, I32, U32, "r", "r", "r", "r", "cvt.pack.sat.s8.s32.b32 %0, %1, %2, %3;", 3,
   c << 16 | (U32)(uint8_t)std::min(std::max(a, -128), 127) << 8 | (uint8_t)std::min(std::max(b, -128), 127))
OP(cvt_tf32, U32, float, float, float, "r", "f", "f", "f", "cvt.rna.tf32.f32 %0, %1;", 1, [](float x) -> U32 {
  const U32 u = (U32)bits_of(x);
  if (x != x) return 0x7fffffff;
  return std::isinf(x) ? u : (u + 0x1000) & 0xffffe000;
}(a))

PROGRAM(float_arithmetic) {
  t_add_rn_f32(), t_add_rz_f32(), t_add_rm_f32(), t_mul_rp_f32(), t_fma_rn_f32(), t_fma_rz_f32(), t_mul_ftz_f32(), t_add_sat_f32(),
      t_div_rn_f32(), t_div_rz_f32();
  t_rcp_rn_f32(), t_sqrt_rn_f32(), t_sqrt_rp_f32(), t_rsqrt_f32(), t_ex2_f32(), t_lg2_ftz_f32(), t_tanh_f32(), t_min_f32(), t_max_nan_f32(),
      t_copysign_f32();
  t_rni_f32(), t_rpi_f32(), t_add_rn_f64(), t_fma_rm_f64(), t_div_rp_f64(), t_max_f64();
}
PROGRAM(conversions) {
  t_cvt_rzi_s32(), t_cvt_rni_u32(), t_cvt_rmi_s64_f64(), t_cvt_s8_sat(), t_cvt_rn_f32_s64(), t_cvt_rz_f32_u32(), t_cvt_rn_f32_f64(),
      t_cvt_f64_f32();
  t_cvt_u8(), t_cvt_sat_u8(), t_cvt_s64_s32(), t_cvt_s32_s64(), t_cvt_s16_u64(), t_cvt_pack(), t_cvt_tf32();
}

// Comparisons: 18 of them as bits of a word.
__global__ void compare_all(const float* a, const float* b, const int* x, const int* y, uint32_t* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint32_t bits = 0, bit;
#define BIT(number, text, ...)                                                                     \
  asm("{.reg .pred p; setp." text " p, %1, %2; selp.u32 %0, 1, 0, p;}" : "=r"(bit) : __VA_ARGS__); \
  bits |= bit << number
  BIT(0, "eq.f32", "f"(a[i]), "f"(b[i]));
  BIT(1, "ne.f32", "f"(a[i]), "f"(b[i]));
  BIT(2, "lt.f32", "f"(a[i]), "f"(b[i]));
  BIT(3, "le.f32", "f"(a[i]), "f"(b[i]));
  BIT(4, "gt.f32", "f"(a[i]), "f"(b[i]));
  BIT(5, "ge.f32", "f"(a[i]), "f"(b[i]));
  BIT(6, "equ.f32", "f"(a[i]), "f"(b[i]));
  BIT(7, "neu.f32", "f"(a[i]), "f"(b[i]));
  BIT(8, "ltu.f32", "f"(a[i]), "f"(b[i]));
  BIT(9, "leu.f32", "f"(a[i]), "f"(b[i]));
  BIT(10, "gtu.f32", "f"(a[i]), "f"(b[i]));
  BIT(11, "geu.f32", "f"(a[i]), "f"(b[i]));
  BIT(12, "num.f32", "f"(a[i]), "f"(b[i]));
  BIT(13, "nan.f32", "f"(a[i]), "f"(b[i]));
  BIT(14, "lt.s32", "r"(x[i]), "r"(y[i]));
  BIT(15, "lo.u32", "r"(x[i]), "r"(y[i]));
  BIT(16, "hs.u32", "r"(x[i]), "r"(y[i]));
  BIT(17, "ge.s32", "r"(x[i]), "r"(y[i]));
  asm("{.reg .pred p,q,r; setp.lt.s32 r, %1, 0; setp.gt.and.f32 p|q, %2, %3, !r; selp.u32 %0, 1, 0, p; @q add.u32 %0, %0, 2;}"
      : "=r"(bit)
      : "r"(x[i]), "f"(a[i]), "f"(b[i]));
  out[i] = bits | bit << 18;
}
PROGRAM(comparisons) {
  const auto f = tricky<float>();
  const auto v = tricky<int>();
  std::vector<float> a, b;
  std::vector<int> x, y;
  for (size_t i = 0; i < f.size(); ++i)
    for (size_t j = 0; j < f.size(); ++j) a.push_back(f[i]), b.push_back(f[j]), x.push_back(v[i % v.size()]), y.push_back(v[j % v.size()]);
  const int n = static_cast<int>(a.size());
  Device<float> da(a), db(b);
  Device<int> dx(x), dy(y);
  Device<uint32_t> out(n);
  compare_all<<<(n + 63) / 64, 64>>>(da.data, db.data, dx.data, dy.data, out.data, n);
  const auto got = out.host();
  for (int i = 0; i < n; ++i) {
    const float p = a[i], q = b[i];
    const bool u = p != p || q != q,
               t[] = {p == q,
                      !u && p != q,
                      p<q, p <= q, p>
                          q,
                      p >= q,
                      u || p == q,
                      u || p != q,
                      u || p < q,
                      u || p <= q,
                      u || p > q,
                      u || p >= q,
                      !u,
                      u,
                      x[i] < y[i],
                      (unsigned)x[i]<(unsigned)y[i], (unsigned)x[i] >= (unsigned)y[i], x[i] >= y[i], p> q && x[i] >= 0,
                      !(p > q) && x[i] >= 0};
    uint32_t want = 0;
    for (int k = 0; k < 20; ++k) want |= uint32_t{t[k]} << k;
    EXPECT(got[i] == want);
  }
}

// All 65536 halves through every conversion and some arithmetic.
__device__ uint16_t half_op(int which, uint16_t a, uint16_t b, uint16_t c) {
  uint16_t d = 0;
  float f;
  switch (which) {
    case 0: asm("add.f16 %0, %1, %2;" : "=h"(d) : "h"(a), "h"(b)); break;
    case 1: asm("mul.f16 %0, %1, %2;" : "=h"(d) : "h"(a), "h"(b)); break;
    case 2: asm("fma.rn.f16 %0, %1, %2, %3;" : "=h"(d) : "h"(a), "h"(b), "h"(c)); break;
    case 3:
      asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(a));
      asm("cvt.rn.f16.f32 %0, %1;" : "=h"(d) : "f"(f));
      break;
    case 4:
      asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(a));
      asm("cvt.rz.f16.f32 %0, %1;" : "=h"(d) : "f"(f * 1.0009f));
      break;
    case 5: asm("max.f16 %0, %1, %2;" : "=h"(d) : "h"(a), "h"(b)); break;
    case 6: asm("fma.rn.relu.f16 %0, %1, %2, %3;" : "=h"(d) : "h"(a), "h"(b), "h"(c)); break;
    case 7: asm("fma.rn.bf16 %0, %1, %2, %3;" : "=h"(d) : "h"(a), "h"(b), "h"(c)); break;
    case 8: asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(d) : "f"(__uint_as_float(a * 65537u ^ b << 9))); break;
  }
  return d;
}
__global__ void halves(uint16_t* out, int which) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = half_op(which, static_cast<uint16_t>(i), static_cast<uint16_t>(i * 40503u >> 3), static_cast<uint16_t>(i * 60493u >> 5));
}
// Host half precision by brute definition: 11 significant bits, exponents down to -24.
double half_value(uint16_t h) {
  const int e = h >> 10 & 31, m = h & 1023;
  const double v = e == 31 ? (m ? NAN : INFINITY) : e ? std::ldexp(1024 + m, e - 25) : std::ldexp(m, -24);
  return h & 0x8000 ? -v : v;
}
double bfloat_value(uint16_t b) {
  const uint32_t u = uint32_t{b} << 16;
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}
// The nearest of two neighbours in a monotone table of non-negative values, ties to even; long double holds every exact sum that is tried
// here.
template <class Value>
uint16_t nearest(long double exact, Value value, uint16_t infinity, bool toward_zero) {
  if (exact != exact) return 0x7fff;
  const bool negative = std::signbit(exact);
  const long double x = std::fabs(exact);
  uint16_t low = 0, high = infinity;  // value(low) <= x < value(high)
  while (high - low > 1) {
    const uint16_t middle = static_cast<uint16_t>((low + high) / 2);
    if (static_cast<long double>(value(middle)) <= x)
      low = middle;
    else
      high = middle;
  }
  if (std::isinf(x))
    low = high = infinity;
  else if (!toward_zero) {
    const long double below = value(low), above = high == infinity
                                                      ? 2 * static_cast<long double>(value(low)) - value(static_cast<uint16_t>(low - 1))
                                                      : static_cast<long double>(value(high));
    if (x - below > above - x || (x - below == above - x && low & 1)) low = high;
  }
  return static_cast<uint16_t>(low | (negative ? 0x8000 : 0));
}
PROGRAM(half_precision) {
  Device<uint16_t> out(65536);
  for (int which = 0; which < 9; ++which) {
    halves<<<512, 128>>>(out.data, which);
    const auto got = out.host();
    int wrong = 0;
    for (unsigned i = 0; i < 65536; ++i) {
      const uint16_t ha = static_cast<uint16_t>(i), hb = static_cast<uint16_t>(i * 40503u >> 3),
                     hc = static_cast<uint16_t>(i * 60493u >> 5);
      const long double a = half_value(ha), b = half_value(hb), c = half_value(hc);
      uint16_t want = 0;
      const auto half = [&](long double v, bool zero = false) { return nearest(v, half_value, 0x7c00, zero); };
      switch (which) {
        case 0: want = half(a + b); break;
        case 1: want = half(a * b); break;
        case 2:
        case 6: {
          want = half(a * b + c);  // exact: the product has 22 bits
          if (which == 6 && (a * b + c < 0)) want = 0;
          break;
        }
        case 3: want = half(a); break;
        case 4: want = half(static_cast<float>(a) * 1.0009f, true); break;
        case 5: want = a != a ? hb : b != b ? ha : a == b ? (std::signbit(a) ? hb : ha) : a > b ? ha : hb; break;
        case 7: {
          // Far apart, the smaller of the two only decides ties: any small number does that, and long double holds the sum.
          long double product = static_cast<long double>(bfloat_value(ha)) * bfloat_value(hb), addend = bfloat_value(hc);
          const auto shrink = [](long double& small, long double big) {
            if (small != 0 && std::isfinite(big) && std::fabs(small) < std::ldexp(std::fabs(big), -40))
              small = std::copysign(std::ldexp(big, -41), small);
          };
          shrink(addend, product);
          shrink(product, addend);
          const long double sum = product + addend;
          want = nearest(sum, bfloat_value, 0x7f80, false);
          break;
        }
        default: {
          const uint32_t u = ha * 65537u ^ static_cast<uint32_t>(hb) << 9;
          float f;
          std::memcpy(&f, &u, 4);
          want = nearest(f, bfloat_value, 0x7f80, false);
        }
      }
      const bool nan =
          which < 7 ? (want & 0x7fff) > 0x7c00 && (got[i] & 0x7fff) > 0x7c00 : (want & 0x7fff) > 0x7f80 && (got[i] & 0x7fff) > 0x7f80;
      const bool zero =
          (which == 0 || which == 2 || which == 7) && ((want | got[i]) & 0x7fff) == 0;  // signs of zero sums are tested by others
      if (!nan && !zero && got[i] != want && wrong++ == 0)
        std::printf("FAIL half operation %d: %04x %04x %04x -> %04x, expected %04x\n", which, ha, hb, hc, got[i], want);
    }
    failures() += wrong;
  }
}

// Atomics of all widths and operations: every thread of several blocks at the same few places.
__global__ void atomics(int32_t* i32, uint32_t* u32, unsigned long long* u64, float* f32, double* f64, __half2* h2, unsigned short* u16) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&i32[0], -t), atomicMin(&i32[1], -t), atomicMax(&i32[2], t % 77), atomicSub(&i32[3], 2);
  atomicInc(&u32[0], 9), atomicDec(&u32[1], 6), atomicAnd(&u32[2], ~(1u << t % 20)), atomicOr(&u32[3], 1u << t % 32), atomicXor(&u32[4], t);
  atomicAdd(&u64[0], 1ull << 33), atomicMax(&u64[1], (unsigned long long)t << 40), atomicXor(&u64[2], 1ull << t % 64);
  atomicAdd(f32, 0.25f), atomicAdd(f64, 0.125), atomicAdd(h2, __floats2half2_rn(1.0f, t % 2 ? 1.0f : 0.0f));
  unsigned short seen = *u16;
  for (;;) {
    const unsigned short old = atomicCAS(u16, seen, static_cast<unsigned short>(seen + 1));
    if (old == seen) break;
    seen = old;
  }
  __shared__ unsigned long long best;
  if (threadIdx.x == 0) best = 0;
  __syncthreads();
  atomicMax(&best, static_cast<unsigned long long>(t));
  __syncthreads();
  if (threadIdx.x == 0) atomicExch(&u64[3 + blockIdx.x], best);
}
PROGRAM(atomics_of_all_widths) {
  const int n = 4 * 96;
  Device<int32_t> i32(std::vector<int32_t>(4, 0));
  Device<uint32_t> u32(std::vector<uint32_t>{0, 0, ~0u, 0, 0});
  Device<unsigned long long> u64(std::vector<unsigned long long>(7, 0));
  Device<float> f32(std::vector<float>{0});
  Device<double> f64(std::vector<double>{0});
  Device<__half2> h2(std::vector<__half2>(1, __floats2half2_rn(0, 0)));
  Device<unsigned short> u16(std::vector<unsigned short>{7});
  atomics<<<4, 96>>>(i32.data, u32.data, u64.data, f32.data, f64.data, h2.data, u16.data);
  CUDA(cudaDeviceSynchronize());
  const auto a = i32.host();
  EXPECT(a[0] == -n * (n - 1) / 2 && a[1] == -(n - 1) && a[2] == 76 && a[3] == -2 * n);
  uint32_t inc = 0, dec = 0, x = 0;
  for (int t = 0; t < n; ++t) inc = inc >= 9 ? 0 : inc + 1, dec = dec == 0 || dec > 6 ? 6 : dec - 1, x ^= static_cast<uint32_t>(t);
  const auto b = u32.host();
  EXPECT(b[0] == inc && b[1] == dec && b[2] == ~0xfffffu && b[3] == ~0u && b[4] == x);
  const auto c = u64.host();
  EXPECT(c[0] == static_cast<unsigned long long>(n) << 33 && c[1] == static_cast<unsigned long long>(n - 1) << 40 && c[2] == 0);
  for (unsigned k = 0; k < 4; ++k) EXPECT(c[3 + k] == 96 * k + 95);
  EXPECT(f32.host()[0] == n * 0.25f && f64.host()[0] == n * 0.125 && u16.host()[0] == 7 + n);
  EXPECT(__low2float(h2.host()[0]) == n && __high2float(h2.host()[0]) == n / 2);
}

// Loads and stores of all widths, signs and vectors; generic addresses of every space.
__global__ void widths(const int8_t* in, int64_t* out, short4* vectors) {
  __shared__ int8_t s[64];
  int8_t l[64];
  for (int i = threadIdx.x; i < 64; i += blockDim.x) s[i] = in[i];
  for (int i = 0; i < 64; ++i) l[i] = in[(i + threadIdx.x) % 64];
  __syncthreads();
  const int8_t* where = threadIdx.x % 3 == 0 ? in : threadIdx.x % 3 == 1 ? static_cast<const int8_t*>(s) : static_cast<const int8_t*>(l);
  out[threadIdx.x * 4] = where[threadIdx.x];
  out[threadIdx.x * 4 + 1] = reinterpret_cast<const uint8_t*>(where)[threadIdx.x];
  out[threadIdx.x * 4 + 2] = reinterpret_cast<const int16_t*>(in)[threadIdx.x / 2];
  out[threadIdx.x * 4 + 3] = reinterpret_cast<const int64_t*>(in)[threadIdx.x % 8];
  vectors[threadIdx.x] = reinterpret_cast<const short4*>(s)[threadIdx.x % 8];
}
PROGRAM(loads_and_stores) {
  std::vector<int8_t> in(64);
  for (int i = 0; i < 64; ++i) in[i] = static_cast<int8_t>(i * 37 + 100);
  Device<int8_t> din(in);
  Device<int64_t> out(32 * 4);
  Device<short4> vectors(32);
  widths<<<1, 32>>>(din.data, out.data, vectors.data);
  CUDA(cudaDeviceSynchronize());
  const auto got = out.host();
  const auto v = vectors.host();
  for (int t = 0; t < 32; ++t) {
    const int8_t want = t % 3 == 2 ? in[2 * t % 64] : in[t];
    int16_t word;
    int64_t quad;
    std::memcpy(&word, &in[t / 2 * 2], 2);
    std::memcpy(&quad, &in[t % 8 * 8], 8);
    EXPECT(got[4 * t] == want && got[4 * t + 1] == static_cast<uint8_t>(want) && got[4 * t + 2] == word && got[4 * t + 3] == quad);
    EXPECT(std::memcmp(&v[t], &in[t % 8 * 8], 8) == 0);
  }
}

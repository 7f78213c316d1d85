// Floating point, conversions and comparisons.
#include "tricky.h"

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
F32OP(sub_f32, "sub.rn.f32 %0, %1, %2;", 2, a - b)
F32OP(neg_f32, "neg.f32 %0, %1;", 1, -a)
F32OP(abs_ftz_f32, "abs.ftz.f32 %0, %1;", 1, std::fabs(flush(a)))
F32OP(sin_f32, "sin.approx.f32 %0, %1;", 1, (float)std::sin((double)a))
F32OP(cos_f32, "cos.approx.f32 %0, %1;", 1, (float)std::cos((double)a))
F32OP(fma_sat_f32, "fma.rn.sat.f32 %0, %1, %2, %3;", 3, std::fma(a, b, c) > 0 ? std::min(std::fma(a, b, c), 1.0f) : 0.0f)
F32OP(slct_f32, "slct.f32.f32 %0, %1, %2, %3;", 3, c >= 0 ? a : b)
F32OP(set_geu_f32, "set.geu.f32.f32 %0, %1, %2;", 2, a != a || b != b || a >= b ? 1.0f : 0.0f)
OP(testp, U32, float, float, float, "r", "f", "f", "f",
   "{.reg .pred p; .reg .b32 t; testp.finite.f32 p, %1; selp.b32 %0, 1, 0, p; testp.infinite.f32 p, %1; selp.b32 t, 2, 0, p; or.b32 %0, "
   "%0, t;\n"
   "testp.notanumber.f32 p, %1; selp.b32 t, 4, 0, p; or.b32 %0, %0, t; testp.normal.f32 p, %1; selp.b32 t, 8, 0, p; or.b32 %0, %0, t;\n"
   "testp.subnormal.f32 p, %1; selp.b32 t, 16, 0, p; or.b32 %0, %0, t;}",
   1,
   (std::isfinite(a) ? 1u : 0u) | (std::isinf(a) ? 2u : 0u) | (a != a ? 4u : 0u) | (std::isnormal(a) ? 8u : 0u) |
       (std::fpclassify(a) == FP_SUBNORMAL ? 16u : 0u))
F64OP(rcp_rn_f64, "rcp.rn.f64 %0, %1;", 1, 1.0 / a)
F64OP(sqrt_rz_f64, "sqrt.rz.f64 %0, %1;", 1,
      (rounded<double>(FE_TOWARDZERO, [](double x, double, double) { return std::sqrt(x); }, a, b, c)))
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
  t_sub_f32(), t_neg_f32(), t_abs_ftz_f32(), t_sin_f32(), t_cos_f32(), t_fma_sat_f32(), t_slct_f32(), t_set_geu_f32(), t_testp(),
      t_rcp_rn_f64(), t_sqrt_rz_f64();
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

// Integer instructions and operations on bits.
#include "tricky.h"

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

OP(neg_s32, I32, I32, I32, I32, "r", "r", "r", "r", "neg.s32 %0, %1;", 1, (I32)(0 - (U32)a))
OP(mul_lo_u16, uint16_t, uint16_t, uint16_t, uint16_t, "h", "h", "h", "h", "mul.lo.u16 %0, %1, %2;", 2, (uint16_t)((U32)a * b))
OP(add_s16, int16_t, int16_t, int16_t, int16_t, "h", "h", "h", "h", "add.s16 %0, %1, %2;", 2, (int16_t)(a + b))
OP(max_s64, I64, I64, I64, I64, "l", "l", "l", "l", "max.s64 %0, %1, %2;", 2, std::max(a, b))
OP(min_u16, uint16_t, uint16_t, uint16_t, uint16_t, "h", "h", "h", "h", "min.u16 %0, %1, %2;", 2, std::min(a, b))
OP(mad_lo_s64, I64, I64, I64, I64, "l", "l", "l", "l", "mad.lo.s64 %0, %1, %2, %3;", 3, (I64)((U64)a * (U64)b + (U64)c))
OP(mad24_hi_s32, I32, I32, I32, I32, "r", "r", "r", "r", "mad24.hi.s32 %0, %1, %2, %3;", 3,
   (I32)((U32)((I64)((I32)((U32)a << 8) >> 8) * ((I32)((U32)b << 8) >> 8) >> 16) + (U32)c))
OP(rem_u64, U64, U64, U64, U64, "l", "l", "l", "l", "rem.u64 %0, %1, %2;", 2, b == 0 ? a : a % b)
OP(slct_s32, I32, I32, I32, I32, "r", "r", "r", "r", "slct.s32.s32 %0, %1, %2, %3;", 3, c >= 0 ? a : b)
OP(set_lt_u32, U32, I32, I32, I32, "r", "r", "r", "r", "set.lt.u32.s32 %0, %1, %2;", 2, a < b ? ~0u : 0u)
OP(logic_b32, U32, U32, U32, U32, "r", "r", "r", "r", "{.reg .b32 t; and.b32 t, %1, %2; or.b32 t, t, %3; not.b32 t, t; xor.b32 %0, t, %1;}",
   3, ~((a & b) | c) ^ a)
OP(cnot_b32, U32, U32, U32, U32, "r", "r", "r", "r", "cnot.b32 %0, %1;", 1, a == 0 ? 1u : 0u)
OP(bfe_s64, I64, I64, U32, U32, "l", "l", "r", "r", "bfe.s64 %0, %1, %2, %3;", 3, [](U64 v, U32 p, U32 l) {
  p &= 255, l &= 255;
  const U64 s = l == 0 ? 0 : v >> std::min(p + l - 1, 63u) & 1;
  U64 r = 0;
  for (U32 i = 0; i < 64; ++i) r |= (i < l && p + i < 64 ? v >> (p + i) & 1 : s) << i;
  return (I64)r;
}((U64)a, b, c))
OP(fns_b32, U32, U32, U32, I32, "r", "r", "r", "r", "{.reg .b32 base; and.b32 base, %2, 31; fns.b32 %0, %1, base, %3;}", 3,
   [](U32 mask, U32 base, I32 n) {
     if (n == 0) return mask >> base & 1 ? base : ~0u;
     const int step = n > 0 ? 1 : -1;
     I64 left = std::llabs((I64)n);
     for (int i = (int)base; i >= 0 && i < 32; i += step)
       if (mask >> i & 1 && --left == 0) return (U32)i;
     return ~0u;
   }(a, b & 31, c))

PROGRAM(integer_arithmetic) {
  t_add_s32(), t_add_sat_s32(), t_sub_sat_s32(), t_sub_s64(), t_mul_hi_s32(), t_mul_hi_u64(), t_mul_hi_s64(), t_mul_wide_s32(),
      t_mul_wide_u16(), t_mad_lo_u32();
  t_mad_hi_s32(), t_mad_wide_u32(), t_mul24_lo_s32(), t_mul24_hi_u32(), t_sad_s32(), t_div_s32(), t_rem_s32(), t_div_u64(), t_min_s32(),
      t_max_u32(), t_abs_s32();
  t_dp4a_s32_u32(), t_dp2a_hi(), t_carry_chain(), t_borrow_chain(), t_madc_chain();
  t_neg_s32(), t_mul_lo_u16(), t_add_s16(), t_max_s64(), t_min_u16(), t_mad_lo_s64(), t_mad24_hi_s32(), t_rem_u64(), t_slct_s32(),
      t_set_lt_u32();
}
PROGRAM(bit_operations) {
  t_popc_b64(), t_clz_b32(), t_bfind_s32(), t_bfind_shift_u64(), t_brev_b32(), t_bfe_u32(), t_bfe_s32(), t_bfi_b32(), t_shl_b32(),
      t_shr_s32(), t_shr_u64();
  t_shf_l_clamp(), t_shf_r_wrap(), t_prmt_b32(), t_lop3_b32(), t_bmsk_clamp(), t_szext_wrap();
  t_logic_b32(), t_cnot_b32(), t_bfe_s64(), t_fns_b32();
}

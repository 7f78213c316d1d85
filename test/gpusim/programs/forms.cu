// Every form of mma.sync and mma.sp that sm_80 has: each shape, element type, accumulator and selector. Those of later devices: hopper.cu.
#include "forms.h"

FORM_4_2_4(f16_k16, float, "f", "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32")
FORM_2_1_4(f16_k8, float, "f", "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32")
FORM_4_2_2(f16_k16_half, uint32_t, "r", "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16")
FORM_2_1_2(f16_k8_half, uint32_t, "r", "mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16")
FORM_4_2_4(bf16_k16, float, "f", "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32")
FORM_2_1_4(bf16_k8, float, "f", "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32")
FORM_4_2_4(tf32_k8, float, "f", "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32")
FORM_2_1_4(tf32_k4, float, "f", "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32")
FORM_4_2_4(s8_s8_k32, uint32_t, "r", "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32")
FORM_4_2_4(u8_u8_k32, uint32_t, "r", "mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32")
FORM_4_2_4(s8_u8_k32, uint32_t, "r", "mma.sync.aligned.m16n8k32.row.col.s32.s8.u8.s32")
FORM_4_2_4(u8_s8_k32, uint32_t, "r", "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32")
FORM_2_1_4(s8_s8_k16, uint32_t, "r", "mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32")
FORM_2_1_4(u8_u8_k16, uint32_t, "r", "mma.sync.aligned.m16n8k16.row.col.s32.u8.u8.s32")
FORM_2_1_4(s8_u8_k16, uint32_t, "r", "mma.sync.aligned.m16n8k16.row.col.s32.s8.u8.s32")
FORM_2_1_4(u8_s8_k16, uint32_t, "r", "mma.sync.aligned.m16n8k16.row.col.s32.u8.s8.s32")
FORM_1_1_2(s8_s8_m8, uint32_t, "r", "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32")
FORM_1_1_2(u8_u8_m8, uint32_t, "r", "mma.sync.aligned.m8n8k16.row.col.s32.u8.u8.s32")
FORM_1_1_2(s8_u8_m8, uint32_t, "r", "mma.sync.aligned.m8n8k16.row.col.s32.s8.u8.s32")
FORM_1_1_2(u8_s8_m8, uint32_t, "r", "mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32")
FORM_4_2_4(s4_s4_k64, uint32_t, "r", "mma.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32")
FORM_4_2_4(u4_s4_k64, uint32_t, "r", "mma.sync.aligned.m16n8k64.row.col.s32.u4.s4.s32")
FORM_2_1_4(s4_s4_k32, uint32_t, "r", "mma.sync.aligned.m16n8k32.row.col.s32.s4.s4.s32")
FORM_2_1_4(u4_s4_k32, uint32_t, "r", "mma.sync.aligned.m16n8k32.row.col.s32.u4.s4.s32")
FORM_1_1_2(s4_s4_m8, uint32_t, "r", "mma.sync.aligned.m8n8k32.row.col.s32.s4.s4.s32")
FORM_1_1_2(u4_s4_m8, uint32_t, "r", "mma.sync.aligned.m8n8k32.row.col.s32.u4.s4.s32")
FORM_4_2_4(b1_xor_k256, uint32_t, "r", "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.xor.popc")
FORM_4_2_4(b1_and_k256, uint32_t, "r", "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc")
FORM_2_1_4(b1_xor_k128, uint32_t, "r", "mma.sync.aligned.m16n8k128.row.col.s32.b1.b1.s32.xor.popc")
FORM_2_1_4(b1_and_k128, uint32_t, "r", "mma.sync.aligned.m16n8k128.row.col.s32.b1.b1.s32.and.popc")
FORM_1_1_2(b1_xor_m8, uint32_t, "r", "mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.xor.popc")
FORM_1_1_2(b1_and_m8, uint32_t, "r", "mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.and.popc")
FORM_SP_4_4_4(sp_f16_k32_0, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32", 0)
FORM_SP_4_4_4(sp_f16_k32_1, float, "f", "mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32", 1)
FORM_SP_2_2_4(sp_f16_k16_0, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", 0)
FORM_SP_2_2_4(sp_f16_k16_1, float, "f", "mma.sp.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", 1)
FORM_SP_2_2_4(sp_f16_k16_2, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", 2)
FORM_SP_2_2_4(sp_f16_k16_3, float, "f", "mma.sp.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", 3)
FORM_SP_4_4_4(sp_bf16_k32_0, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.bf16.bf16.f32", 0)
FORM_SP_4_4_4(sp_bf16_k32_1, float, "f", "mma.sp.sync.aligned.m16n8k32.row.col.f32.bf16.bf16.f32", 1)
FORM_SP_2_2_4(sp_bf16_k16_0, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", 0)
FORM_SP_2_2_4(sp_bf16_k16_1, float, "f", "mma.sp.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", 1)
FORM_SP_2_2_4(sp_bf16_k16_2, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", 2)
FORM_SP_2_2_4(sp_bf16_k16_3, float, "f", "mma.sp.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", 3)
FORM_SP_4_4_2(sp_f16_half_0, uint32_t, "r", "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f16.f16.f16.f16", 0)
FORM_SP_4_4_2(sp_f16_half_1, uint32_t, "r", "mma.sp.sync.aligned.m16n8k32.row.col.f16.f16.f16.f16", 1)
FORM_SP_4_4_4(sp_tf32_k16_0, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k16.row.col.f32.tf32.tf32.f32", 0)
FORM_SP_4_4_4(sp_tf32_k16_1, float, "f", "mma.sp.sync.aligned.m16n8k16.row.col.f32.tf32.tf32.f32", 1)
FORM_SP_2_2_4(sp_tf32_k8_0, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", 0)
FORM_SP_2_2_4(sp_tf32_k8_1, float, "f", "mma.sp.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", 1)
FORM_SP_2_2_4(sp_tf32_k8_2, float, "f", "mma.sp::ordered_metadata.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", 2)
FORM_SP_2_2_4(sp_tf32_k8_3, float, "f", "mma.sp.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", 3)
FORM_SP_4_4_4(sp_s8_s8_k64_0, uint32_t, "r", "mma.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.s32.s8.s8.s32", 0)
FORM_SP_2_2_4(sp_s8_s8_k32_0, uint32_t, "r", "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", 0)
FORM_SP_2_2_4(sp_s8_s8_k32_1, uint32_t, "r", "mma.sp.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", 1)
FORM_SP_4_4_4(sp_u8_s8_k64_0, uint32_t, "r", "mma.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.s32.u8.s8.s32", 0)
FORM_SP_2_2_4(sp_u8_s8_k32_0, uint32_t, "r", "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32", 0)
FORM_SP_2_2_4(sp_u8_s8_k32_1, uint32_t, "r", "mma.sp.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32", 1)
FORM_SP_4_4_4(sp_s4_k128_0, uint32_t, "r", "mma.sp::ordered_metadata.sync.aligned.m16n8k128.row.col.s32.s4.s4.s32", 0)
FORM_SP_2_2_4(sp_s4_k64_0, uint32_t, "r", "mma.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32", 0)
FORM_SP_2_2_4(sp_s4_k64_1, uint32_t, "r", "mma.sp.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32", 1)

PROGRAM(dense_forms) {
  const Form forms[] = {
      {"f16_k16", f16_k16, 16, 8, 16, Kind::kF16, Kind::kF16, Kind::kF32},
      {"f16_k8", f16_k8, 16, 8, 8, Kind::kF16, Kind::kF16, Kind::kF32},
      {"f16_k16_half", f16_k16_half, 16, 8, 16, Kind::kF16, Kind::kF16, Kind::kF16},
      {"f16_k8_half", f16_k8_half, 16, 8, 8, Kind::kF16, Kind::kF16, Kind::kF16},
      {"bf16_k16", bf16_k16, 16, 8, 16, Kind::kBf16, Kind::kBf16, Kind::kF32},
      {"bf16_k8", bf16_k8, 16, 8, 8, Kind::kBf16, Kind::kBf16, Kind::kF32},
      {"tf32_k8", tf32_k8, 16, 8, 8, Kind::kTf32, Kind::kTf32, Kind::kF32},
      {"tf32_k4", tf32_k4, 16, 8, 4, Kind::kTf32, Kind::kTf32, Kind::kF32},
      {"s8_s8_k32", s8_s8_k32, 16, 8, 32, Kind::kS8, Kind::kS8, Kind::kS32},
      {"u8_u8_k32", u8_u8_k32, 16, 8, 32, Kind::kU8, Kind::kU8, Kind::kS32},
      {"s8_u8_k32", s8_u8_k32, 16, 8, 32, Kind::kS8, Kind::kU8, Kind::kS32},
      {"u8_s8_k32", u8_s8_k32, 16, 8, 32, Kind::kU8, Kind::kS8, Kind::kS32},
      {"s8_s8_k16", s8_s8_k16, 16, 8, 16, Kind::kS8, Kind::kS8, Kind::kS32},
      {"u8_u8_k16", u8_u8_k16, 16, 8, 16, Kind::kU8, Kind::kU8, Kind::kS32},
      {"s8_u8_k16", s8_u8_k16, 16, 8, 16, Kind::kS8, Kind::kU8, Kind::kS32},
      {"u8_s8_k16", u8_s8_k16, 16, 8, 16, Kind::kU8, Kind::kS8, Kind::kS32},
      {"s8_s8_m8", s8_s8_m8, 8, 8, 16, Kind::kS8, Kind::kS8, Kind::kS32},
      {"u8_u8_m8", u8_u8_m8, 8, 8, 16, Kind::kU8, Kind::kU8, Kind::kS32},
      {"s8_u8_m8", s8_u8_m8, 8, 8, 16, Kind::kS8, Kind::kU8, Kind::kS32},
      {"u8_s8_m8", u8_s8_m8, 8, 8, 16, Kind::kU8, Kind::kS8, Kind::kS32},
      {"s4_s4_k64", s4_s4_k64, 16, 8, 64, Kind::kS4, Kind::kS4, Kind::kS32},
      {"u4_s4_k64", u4_s4_k64, 16, 8, 64, Kind::kU4, Kind::kS4, Kind::kS32},
      {"s4_s4_k32", s4_s4_k32, 16, 8, 32, Kind::kS4, Kind::kS4, Kind::kS32},
      {"u4_s4_k32", u4_s4_k32, 16, 8, 32, Kind::kU4, Kind::kS4, Kind::kS32},
      {"s4_s4_m8", s4_s4_m8, 8, 8, 32, Kind::kS4, Kind::kS4, Kind::kS32},
      {"u4_s4_m8", u4_s4_m8, 8, 8, 32, Kind::kU4, Kind::kS4, Kind::kS32},
      {"b1_xor_k256", b1_xor_k256, 16, 8, 256, Kind::kB1, Kind::kB1, Kind::kS32, false, 0, Form::kXor},
      {"b1_and_k256", b1_and_k256, 16, 8, 256, Kind::kB1, Kind::kB1, Kind::kS32, false, 0, Form::kAnd},
      {"b1_xor_k128", b1_xor_k128, 16, 8, 128, Kind::kB1, Kind::kB1, Kind::kS32, false, 0, Form::kXor},
      {"b1_and_k128", b1_and_k128, 16, 8, 128, Kind::kB1, Kind::kB1, Kind::kS32, false, 0, Form::kAnd},
      {"b1_xor_m8", b1_xor_m8, 8, 8, 128, Kind::kB1, Kind::kB1, Kind::kS32, false, 0, Form::kXor},
      {"b1_and_m8", b1_and_m8, 8, 8, 128, Kind::kB1, Kind::kB1, Kind::kS32, false, 0, Form::kAnd},
  };
  for (const Form& form : forms) check_form(form);
}

PROGRAM(sparse_forms) {
  const Form forms[] = {
      {"sp_f16_k32_0", sp_f16_k32_0, 16, 8, 32, Kind::kF16, Kind::kF16, Kind::kF32, true, 0},
      {"sp_f16_k32_1", sp_f16_k32_1, 16, 8, 32, Kind::kF16, Kind::kF16, Kind::kF32, true, 1},
      {"sp_f16_k16_0", sp_f16_k16_0, 16, 8, 16, Kind::kF16, Kind::kF16, Kind::kF32, true, 0},
      {"sp_f16_k16_1", sp_f16_k16_1, 16, 8, 16, Kind::kF16, Kind::kF16, Kind::kF32, true, 1},
      {"sp_f16_k16_2", sp_f16_k16_2, 16, 8, 16, Kind::kF16, Kind::kF16, Kind::kF32, true, 2},
      {"sp_f16_k16_3", sp_f16_k16_3, 16, 8, 16, Kind::kF16, Kind::kF16, Kind::kF32, true, 3},
      {"sp_bf16_k32_0", sp_bf16_k32_0, 16, 8, 32, Kind::kBf16, Kind::kBf16, Kind::kF32, true, 0},
      {"sp_bf16_k32_1", sp_bf16_k32_1, 16, 8, 32, Kind::kBf16, Kind::kBf16, Kind::kF32, true, 1},
      {"sp_bf16_k16_0", sp_bf16_k16_0, 16, 8, 16, Kind::kBf16, Kind::kBf16, Kind::kF32, true, 0},
      {"sp_bf16_k16_1", sp_bf16_k16_1, 16, 8, 16, Kind::kBf16, Kind::kBf16, Kind::kF32, true, 1},
      {"sp_bf16_k16_2", sp_bf16_k16_2, 16, 8, 16, Kind::kBf16, Kind::kBf16, Kind::kF32, true, 2},
      {"sp_bf16_k16_3", sp_bf16_k16_3, 16, 8, 16, Kind::kBf16, Kind::kBf16, Kind::kF32, true, 3},
      {"sp_f16_half_0", sp_f16_half_0, 16, 8, 32, Kind::kF16, Kind::kF16, Kind::kF16, true, 0},
      {"sp_f16_half_1", sp_f16_half_1, 16, 8, 32, Kind::kF16, Kind::kF16, Kind::kF16, true, 1},
      {"sp_tf32_k16_0", sp_tf32_k16_0, 16, 8, 16, Kind::kTf32, Kind::kTf32, Kind::kF32, true, 0},
      {"sp_tf32_k16_1", sp_tf32_k16_1, 16, 8, 16, Kind::kTf32, Kind::kTf32, Kind::kF32, true, 1},
      {"sp_tf32_k8_0", sp_tf32_k8_0, 16, 8, 8, Kind::kTf32, Kind::kTf32, Kind::kF32, true, 0},
      {"sp_tf32_k8_1", sp_tf32_k8_1, 16, 8, 8, Kind::kTf32, Kind::kTf32, Kind::kF32, true, 1},
      {"sp_tf32_k8_2", sp_tf32_k8_2, 16, 8, 8, Kind::kTf32, Kind::kTf32, Kind::kF32, true, 2},
      {"sp_tf32_k8_3", sp_tf32_k8_3, 16, 8, 8, Kind::kTf32, Kind::kTf32, Kind::kF32, true, 3},
      {"sp_s8_s8_k64_0", sp_s8_s8_k64_0, 16, 8, 64, Kind::kS8, Kind::kS8, Kind::kS32, true, 0},
      {"sp_s8_s8_k32_0", sp_s8_s8_k32_0, 16, 8, 32, Kind::kS8, Kind::kS8, Kind::kS32, true, 0},
      {"sp_s8_s8_k32_1", sp_s8_s8_k32_1, 16, 8, 32, Kind::kS8, Kind::kS8, Kind::kS32, true, 1},
      {"sp_u8_s8_k64_0", sp_u8_s8_k64_0, 16, 8, 64, Kind::kU8, Kind::kS8, Kind::kS32, true, 0},
      {"sp_u8_s8_k32_0", sp_u8_s8_k32_0, 16, 8, 32, Kind::kU8, Kind::kS8, Kind::kS32, true, 0},
      {"sp_u8_s8_k32_1", sp_u8_s8_k32_1, 16, 8, 32, Kind::kU8, Kind::kS8, Kind::kS32, true, 1},
      {"sp_s4_k128_0", sp_s4_k128_0, 16, 8, 128, Kind::kS4, Kind::kS4, Kind::kS32, true, 0},
      {"sp_s4_k64_0", sp_s4_k64_0, 16, 8, 64, Kind::kS4, Kind::kS4, Kind::kS32, true, 0},
      {"sp_s4_k64_1", sp_s4_k64_1, 16, 8, 64, Kind::kS4, Kind::kS4, Kind::kS32, true, 1},
  };
  for (const Form& form : forms) check_form(form);
}

// Which instruction sets a machine has, and which row of a kernels.def it runs.
#include <cstdint>
#include <string>

#include "../../native/core/cpu.h"
#include "../../native/core/kernel.h"
#include "harness.h"

namespace sk_test {
namespace {

using sk::CpuidBits;
using sk::Isa;

void isa() {
  constexpr uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28;
  constexpr uint32_t kAvx2 = 1u << 5, kBmi2 = 1u << 8, kF = 1u << 16, kDq = 1u << 17, kBw = 1u << 30, kVl = 1u << 31;
  constexpr uint32_t kF16c = 1u << 29, kLeaf1 = kFma | kOsxsave | kAvx | kF16c, kHaswell = kAvx2 | kBmi2,
                     kSkylake = kHaswell | kF | kDq | kBw | kVl;
  constexpr uint64_t kX87 = 1, kXmm = 2, kYmm = 4, kMask = 0x20, kZmmLow = 0x40, kZmmHigh = 0x80;
  constexpr uint64_t kAvxState = kX87 | kXmm | kYmm, kZmmState = kAvxState | kMask | kZmmLow | kZmmHigh;

  const CpuidBits nothing = {0, 0, 0}, haswell = {kLeaf1, kHaswell, kAvxState}, skylake = {kLeaf1, kSkylake, kZmmState};
  check(sk::isa_in(Isa::kScalar, nothing) && sk::isa_in(Isa::kScalar16, nothing), "isa_in: the scalar rows run on any machine");
  check(!sk::isa_in(Isa::kAvx2, nothing) && !sk::isa_in(Isa::kAvx512, nothing), "isa_in: nothing has neither AVX2 nor AVX-512");
  check(sk::isa_in(Isa::kAvx2, haswell) && !sk::isa_in(Isa::kAvx512, haswell), "isa_in: Haswell has AVX2 alone");
  check(sk::isa_in(Isa::kAvx2, skylake) && sk::isa_in(Isa::kAvx512, skylake), "isa_in: Skylake-X has both");

  const auto without = [](CpuidBits bits, uint32_t leaf1, uint32_t leaf7, uint64_t xcr0) {
    return CpuidBits{bits.leaf1_ecx & ~leaf1, bits.leaf7_ebx & ~leaf7, bits.xcr0 & ~xcr0};
  };
  const struct {
    const char* name;
    uint32_t leaf1, leaf7;
    uint64_t xcr0;
    bool avx2, avx512;  // what is left
  } lacks[] = {{"FMA", kFma, 0, 0, false, false},
               {"OSXSAVE", kOsxsave, 0, 0, false, false},
               {"AVX", kAvx, 0, 0, false, false},
               {"F16C", kF16c, 0, 0, false, false},
               {"AVX2", 0, kAvx2, 0, false, false},
               {"BMI2", 0, kBmi2, 0, false, false},
               {"xmm state", 0, 0, kXmm, false, false},
               {"ymm state", 0, 0, kYmm, false, false},
               {"AVX-512 F", 0, kF, 0, true, false},
               {"AVX-512 DQ", 0, kDq, 0, true, false},
               {"AVX-512 BW", 0, kBw, 0, true, false},
               {"AVX-512 VL", 0, kVl, 0, true, false},
               {"mask state", 0, 0, kMask, true, false},
               {"zmm0-15 state", 0, 0, kZmmLow, true, false},
               {"zmm16-31 state", 0, 0, kZmmHigh, true, false},
               {"any OS state", 0, 0, kZmmState, false, false},
               {"x87 state", 0, 0, kX87, true, true}};
  for (const auto& l : lacks) {
    const CpuidBits bits = without(skylake, l.leaf1, l.leaf7, l.xcr0);
    check(sk::isa_in(Isa::kAvx2, bits) == l.avx2 && sk::isa_in(Isa::kAvx512, bits) == l.avx512 && sk::isa_in(Isa::kScalar, bits),
          std::string("isa_in: a machine without ") + l.name);
  }
  check(sk::isa_supported(Isa::kScalar) && sk::isa_supported(Isa::kScalar16), "isa_supported: the scalar rows run here");
  check(sk::isa_supported(Isa::kAvx2) || !sk::isa_supported(Isa::kAvx512), "isa_supported: AVX-512 implies AVX2");
#if defined(__x86_64__)
  check(sk::isa_supported(Isa::kAvx2) == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                                          __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c")),
        "isa_supported: AVX2 as the compiler's runtime sees it");
  check(sk::isa_supported(Isa::kAvx512) ==
            (sk::isa_supported(Isa::kAvx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")),
        "isa_supported: AVX-512 as the compiler's runtime sees it");
#endif
}

// AVX-512 VNNI extends AVX-512, AVX-VNNI AVX2.
void vnni() {
  constexpr uint32_t kLeaf1 = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29, kHaswell = 1u << 5 | 1u << 8, kSkylake = kHaswell | 0xC0030000u;
  constexpr uint32_t kAvx512Vnni = 1u << 11, kAvxVnni = 1u << 4;
  const CpuidBits alder_lake = {kLeaf1, kHaswell, 7, 0, kAvxVnni}, ice_lake = {kLeaf1, kSkylake, 0xE7, kAvx512Vnni, 0};
  check(sk::isa_in(Isa::kAvx2Vnni, alder_lake) && !sk::isa_in(Isa::kAvx512Vnni, alder_lake), "isa_in: Alder Lake has AVX-VNNI");
  check(sk::isa_in(Isa::kAvx512Vnni, ice_lake) && !sk::isa_in(Isa::kAvx2Vnni, ice_lake), "isa_in: Ice Lake has AVX-512 VNNI");
  check(!sk::isa_in(Isa::kAvx512Vnni, {kLeaf1, kSkylake, 0x7, kAvx512Vnni, 0}), "isa_in: no AVX-512 VNNI without zmm state");
  check(!sk::isa_in(Isa::kAvx512Vnni, {kLeaf1, kSkylake, 0xE7, ~kAvx512Vnni, ~0u}), "isa_in: no AVX-512 VNNI without its bit");
  check(!sk::isa_in(Isa::kAvx2Vnni, {kLeaf1, kSkylake, 0xE7, ~0u, ~kAvxVnni}), "isa_in: no AVX-VNNI without its bit");
  check(!sk::isa_in(Isa::kAvx2Vnni, {kLeaf1, kHaswell, 3, 0, kAvxVnni}), "isa_in: no AVX-VNNI without ymm state");
  for (const Isa isa : sk::kIsas)
    check(!sk::isa_supported(isa) || sk::isa_supported(sk::isa_base(isa)), std::string("isa_base: implied by ") + sk::isa_name(isa));
}

// One machine has AVX-512 VNNI, the other AVX-512 alone.
void kernel_choice() {
  const struct Row {
    Isa isa;
    bool int8;
  } rows[] = {{Isa::kAvx512, false}, {Isa::kAvx2, false}, {Isa::kAvx512Vnni, true}, {Isa::kAvx512, true}, {Isa::kAvx2, true}};
  const auto chosen = [&](bool has_vnni, bool int8, const char* isa) {
    const Row* row = nullptr;
    const auto vnni = [](Isa isa) { return isa != Isa::kAvx2Vnni; };
    const auto none = [](Isa isa) { return isa != Isa::kAvx2Vnni && isa != Isa::kAvx512Vnni; };
    const sk::Status status = sk::choose_kernel(rows, isa, [&](const Row& r) { return r.int8 == int8; }, &row, has_vnni ? +vnni : +none);
    return status.ok() ? sk::isa_name(row->isa) : std::string("error ") + (status.code() == sk::Code::kIsa ? "isa" : "?");
  };
  check(chosen(true, true, "") == "avx512vnni" && chosen(true, false, "") == "avx512", "choose_kernel: the first row that fits");
  check(chosen(false, true, "") == "avx512", "choose_kernel: passes over what the machine lacks");
  check(chosen(true, true, "avx512vnni") == "avx512vnni", "choose_kernel: the rows of a forced extension come first");
  check(chosen(true, false, "avx512vnni") == "avx512", "choose_kernel: a forced extension means what it extends, too");
  check(chosen(true, true, "avx512") == "avx512" && chosen(true, true, "avx2") == "avx2",
        "choose_kernel: a forced ISA leaves out extensions");
  check(chosen(false, true, "avx512vnni") == "error isa" && chosen(false, false, "avx512vnni") == "error isa",
        "choose_kernel: an extension that the machine lacks is an error, whatever has rows of it");
  check(chosen(true, false, "scalar") == "error isa" && chosen(true, false, "mmx") == "error isa", "choose_kernel: no row, no such ISA");
}

}  // namespace

void isa_suite() {
  isa();
  vnni();
  kernel_choice();
}

}  // namespace sk_test

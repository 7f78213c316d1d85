// What this processor offers, and how many threads are worth starting.
#pragma once

#include <cstdint>

namespace sk {

enum class Isa { kAvx512Vnni, kAvx512, kAvx2Vnni, kAvx2, kScalar, kScalar16 };

// All of them, best first; kScalar16 is for tests.
constexpr Isa kIsas[] = {Isa::kAvx512Vnni, Isa::kAvx512, Isa::kAvx2Vnni, Isa::kAvx2, Isa::kScalar, Isa::kScalar16};

// "avx2": as in file names, kernel names and the `isa` option.
const char* isa_name(Isa isa);

// The ISA that another extends, for those kernels that the extension helps: avx512 of avx512vnni. Others: themselves.
Isa isa_base(Isa isa);

// The registers that decide, so that the rule can be tested with made-up machines.
struct CpuidBits {
  uint32_t leaf1_ecx;  // CPUID(1).ECX
  uint32_t leaf7_ebx;  // CPUID(7,0).EBX
  uint64_t xcr0;       // XGETBV(0); 0 where OSXSAVE is off
  uint32_t leaf7_ecx = 0;
  uint32_t leaf7_1_eax = 0;  // CPUID(7,1).EAX
};

// An ISA counts as present only if CPUID names every extension our flags use *and* XGETBV says that the OS saves its registers.
bool isa_in(Isa isa, const CpuidBits& bits);

// isa_in() for this machine.
bool isa_supported(Isa isa);

// Threads that run at full speed: physical cores this process may use, capped by the container's CPU quota; at least 1.
int physical_parallelism();

// SK_NUM_THREADS where it is a positive integer, else 0. One of the two places where the library reads the environment.
int threads_from_environment();

}  // namespace sk

#include "cpu.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace sk {
namespace {

constexpr bool bit(uint64_t word, int i) { return (word >> i) & 1; }

CpuidBits this_cpu() {
  CpuidBits bits = {};
#if defined(__x86_64__)
  uint32_t eax, ebx, ecx, edx;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) bits.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
    bits.leaf7_ebx = ebx, bits.leaf7_ecx = ecx;
    if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) bits.leaf7_1_eax = eax;
  }
  if (bit(bits.leaf1_ecx, 27)) {  // OSXSAVE: xgetbv may be used
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    bits.xcr0 = (static_cast<uint64_t>(high) << 32) | low;
  }
#endif
  return bits;
}

// Physical cores among the CPUs that this process may run on; 0 where the system does not say.
int physical_cores() {
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 0;
  std::set<std::string> cores;  // SMT siblings share one list
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string siblings;
    if (!(file >> siblings)) return 0;
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
#else
  return 0;
#endif
}

// CPUs that the container may use (cgroup v2), rounded up; 0 where there is no limit.
int container_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return static_cast<int>(std::ceil(std::atof(quota.c_str()) / period));
}

}  // namespace

bool isa_in(Isa isa, const CpuidBits& bits) {
  const bool os_saves_ymm = (bits.xcr0 & 0x06) == 0x06;
  const bool os_saves_zmm = (bits.xcr0 & 0xE6) == 0xE6;
  const bool avx2 = os_saves_ymm && bit(bits.leaf1_ecx, 27) && bit(bits.leaf1_ecx, 28) /* AVX */ && bit(bits.leaf1_ecx, 12) /* FMA */ &&
                    bit(bits.leaf1_ecx, 29) /* F16C */ && bit(bits.leaf7_ebx, 5) /* AVX2 */ && bit(bits.leaf7_ebx, 8) /* BMI2 */;
  const bool avx512 = avx2 && os_saves_zmm && bit(bits.leaf7_ebx, 16) /* F */ && bit(bits.leaf7_ebx, 17) /* DQ */ &&
                      bit(bits.leaf7_ebx, 30) /* BW */ && bit(bits.leaf7_ebx, 31) /* VL */;
  switch (isa) {
    case Isa::kScalar:
    case Isa::kScalar16: return true;
    case Isa::kAvx2: return avx2;
    case Isa::kAvx2Vnni: return avx2 && bit(bits.leaf7_1_eax, 4);
    case Isa::kAvx512: return avx512;
    case Isa::kAvx512Vnni: return avx512 && bit(bits.leaf7_ecx, 11);
  }
  return false;
}

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kAvx512Vnni: return "avx512vnni";
    case Isa::kAvx512: return "avx512";
    case Isa::kAvx2Vnni: return "avx2vnni";
    case Isa::kAvx2: return "avx2";
    case Isa::kScalar: return "scalar";
    case Isa::kScalar16: return "scalar16";
  }
  return "";
}

Isa isa_base(Isa isa) { return isa == Isa::kAvx512Vnni ? Isa::kAvx512 : isa == Isa::kAvx2Vnni ? Isa::kAvx2 : isa; }

bool isa_supported(Isa isa) {
  static const CpuidBits bits = this_cpu();
  return isa_in(isa, bits);
}

int physical_parallelism() {
  int threads = physical_cores();
  if (threads == 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  const int quota = container_quota();
  if (quota > 0) threads = std::min(threads, quota);
  return std::max(threads, 1);
}

int threads_from_environment() {
  const char* text = std::getenv("SK_NUM_THREADS");
  if (text == nullptr || *text == '\0') return 0;
  char* end = nullptr;
  const long threads = std::strtol(text, &end, 10);
  return *end == '\0' && threads > 0 && threads <= 1024 ? static_cast<int>(threads) : 0;
}

}  // namespace sk

#include "words.h"

#include "../../native/core/cpu.h"
#include "harness.h"

namespace sk_test {

#if defined(__x86_64__)
static void of_machine(sk::Isa isa, void (*words)(CheckWord), CheckWord report) {
  at("words of %s", sk::isa_name(isa));
  if (sk::isa_supported(isa))
    words(report);
  else
    std::printf("skip words of %s: this machine lacks it (emulated ones ran)\n", sk::isa_name(isa));
}
#endif

void words_suite() {
  const CheckWord report = [](bool ok, const char* type, const char* word) { check(ok, std::string(type) + ": " + word); };
  at("words of Portable");
  words_scalar(report);
  words_scalar16(report);
  at("words of the emulated Avx512");
  words_avx512_emulated(report);
#if defined(__x86_64__)
  of_machine(sk::Isa::kAvx2, &words_avx2, report);
  of_machine(sk::Isa::kAvx2, &words_avx2vnni_emulated, report);
  of_machine(sk::Isa::kAvx2Vnni, &words_avx2vnni, report);
  of_machine(sk::Isa::kAvx512, &words_avx512, report);
  of_machine(sk::Isa::kAvx512Vnni, &words_avx512vnni, report);
#endif
}

}  // namespace sk_test

#include "words.h"

#include "../../native/core/cpu.h"
#include "harness.h"

namespace sk_test {

void words_suite() {
  const CheckWord report = [](bool ok, const char* type, const char* word) { check(ok, std::string(type) + ": " + word); };
  at("words of Portable");
  words_scalar(report);
  words_scalar16(report);
  at("words of the emulated Avx512");
  words_avx512_emulated(report);
#if defined(__x86_64__)
  at("words of Avx2");
  if (sk::isa_supported(sk::Isa::kAvx2))
    words_avx2(report);
  else
    std::puts("skip words of Avx2: this machine lacks avx2");
  at("words of Avx512");
  if (sk::isa_supported(sk::Isa::kAvx512))
    words_avx512(report);
  else
    std::puts("skip words of Avx512: this machine lacks avx512 (the emulated ones ran)");
#endif
}

}  // namespace sk_test

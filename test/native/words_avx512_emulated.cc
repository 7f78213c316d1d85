// The same words with the stand-in of emulated/immintrin.h for the compiler's: runs on any machine.
#include "../../native/simd/dot_avx512vnni.h"
#include "all_words.h"
#include "dot_words.h"

namespace sk_test {

void words_avx512_emulated(CheckWord check) {
  all_words<sk::Avx512, true>("Avx512 (emulated)", check);
  DotWords<sk::Avx512Dot>::run("Avx512Dot (emulated)", check);
  DotWords<sk::Avx512VnniDot>::run("Avx512VnniDot (emulated)", check);
}

}  // namespace sk_test

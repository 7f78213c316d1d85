#include "../../native/simd/dot_avx512.h"
#include "all_words.h"
#include "dot_words.h"

namespace sk_test {

void words_avx512(CheckWord check) {
  all_words<sk::Avx512, true>("Avx512", check);
  DotWords<sk::Avx512Dot>::run("Avx512Dot", check);
}

}  // namespace sk_test

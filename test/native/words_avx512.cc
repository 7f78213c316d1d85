#include "../../native/simd/dot_avx512.h"
#include "dot_words.h"

namespace sk_test {

void words_avx512(CheckWord check) {
  Words<sk::Avx512, true>::run("Avx512", check);
  DotWords<sk::Avx512Dot>::run("Avx512Dot", check);
}

}  // namespace sk_test

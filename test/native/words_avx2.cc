#include "../../native/simd/dot_avx2.h"
#include "all_words.h"
#include "dot_words.h"

namespace sk_test {

void words_avx2(CheckWord check) {
  all_words<sk::Avx2, true>("Avx2", check);
  DotWords<sk::Avx2Dot>::run("Avx2Dot", check);
}

}  // namespace sk_test

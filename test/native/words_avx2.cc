#include "../../native/simd/dot_avx2.h"
#include "dot_words.h"

namespace sk_test {

void words_avx2(CheckWord check) {
  Words<sk::Avx2, true>::run("Avx2", check);
  DotWords<sk::Avx2Dot>::run("Avx2Dot", check);
}

}  // namespace sk_test

#include "../../native/simd/dot_avx2vnni.h"
#include "dot_words.h"

namespace sk_test {

void words_avx2vnni(CheckWord check) { DotWords<sk::Avx2VnniDot>::run("Avx2VnniDot", check); }

}  // namespace sk_test

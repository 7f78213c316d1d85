#include "../../native/simd/dot_avx512vnni.h"
#include "dot_words.h"

namespace sk_test {

void words_avx512vnni(CheckWord check) { DotWords<sk::Avx512VnniDot>::run("Avx512VnniDot", check); }

}  // namespace sk_test

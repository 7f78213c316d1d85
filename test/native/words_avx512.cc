#include "../../native/simd/vec_avx512.h"
#include "words.h"

namespace sk_test {

void words_avx512(CheckWord check) { Words<sk::Avx512, true>::run("Avx512", check); }

}  // namespace sk_test

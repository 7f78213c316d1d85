#include "../../native/simd/vec_avx2.h"
#include "words.h"

namespace sk_test {

void words_avx2(CheckWord check) { Words<sk::Avx2, true>::run("Avx2", check); }

}  // namespace sk_test

#include "../../native/simd/dot_portable.h"
#include "all_words.h"
#include "dot_words.h"

namespace sk_test {

void words_scalar(CheckWord check) {
  all_words<sk::Portable<4>, false>("Portable<4>", check);
  DotWords<sk::PortableDot<4>>::run("PortableDot<4>", check);
}
void words_scalar16(CheckWord check) {
  all_words<sk::Portable<16>, false>("Portable<16>", check);
  DotWords<sk::PortableDot<16>>::run("PortableDot<16>", check);
}

}  // namespace sk_test

// The same words on AVX2, with a stand-in for the two instructions that AVX-VNNI adds.
#include <immintrin.h>

namespace {

// Sums of the products of each lane.
template <class A, class B>
__m256i dot(__m256i acc, __m256i a, __m256i b) {
  constexpr int kElements = 32 / sizeof(A);
  A x[kElements];
  B y[kElements];
  unsigned sums[8];
  __builtin_memcpy(x, &a, sizeof(x));
  __builtin_memcpy(y, &b, sizeof(y));
  __builtin_memcpy(sums, &acc, sizeof(sums));
  for (int i = 0; i < kElements; ++i) sums[i * 8 / kElements] += static_cast<unsigned>(x[i] * y[i]);
  __builtin_memcpy(&acc, sums, sizeof(sums));
  return acc;
}

}  // namespace

#define _mm256_dpwssd_avx_epi32 dot<short, short>
#define _mm256_dpbusd_avx_epi32 dot<unsigned char, signed char>
#include "../../native/simd/dot_avx2vnni.h"
#include "dot_words.h"

namespace sk_test {

void words_avx2vnni_emulated(CheckWord check) { DotWords<sk::Avx2VnniDot>::run("Avx2VnniDot (emulated)", check); }

}  // namespace sk_test

// Every word of the vocabulary.
#pragma once

#include "words_elements.h"
#include "words_floats.h"
#include "words_integers.h"

namespace sk_test {
namespace {

template <class V, bool kFused>
void all_words(const char* type, CheckWord check) {
  FloatWords<V, kFused>::run(type, check);
  ElementWords<V>::run(type, check);
  IntegerWords<V>::run(type, check);
}

}  // namespace
}  // namespace sk_test

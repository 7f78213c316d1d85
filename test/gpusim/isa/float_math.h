// One lane of float arithmetic as PTX defines it: NaN results are canonical, denormals flush with .ftz, .sat clamps to [0, 1].
#pragma once
#include <cfenv>

#include "half.h"

namespace gpusim {

inline float flush(float x) { return (float_bits(x) & 0x7f800000) == 0 ? bits_float(float_bits(x) & 0x80000000) : x; }
inline float canonical(float x) { return x != x ? bits_float(0x7fffffff) : x; }
inline double canonical(double x) { return x; }
inline float saturate(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }  // NaN gives 0
inline double saturate(double x) { return x > 0 ? (x < 1 ? x : 1.0) : 0.0; }

// Sets the rounding mode of the processor for its lifetime.
class RoundScope {
 public:
  explicit RoundScope(Round mode) : old_(std::fegetround()) {
    std::fesetround(mode == Round::kZero   ? FE_TOWARDZERO
                    : mode == Round::kDown ? FE_DOWNWARD
                    : mode == Round::kUp   ? FE_UPWARD
                                           : FE_TONEAREST);
  }
  ~RoundScope() { std::fesetround(old_); }
  RoundScope(const RoundScope&) = delete;
  RoundScope& operator=(const RoundScope&) = delete;

 private:
  int old_;
};

}  // namespace gpusim

#include <algorithm>
#include <cmath>

#include "attend.h"

namespace sk {

void attend_merge(const float* const* outputs, const float* const* lses, int64_t count, int64_t rows, int64_t d, float* output,
                  float* lse) {
  for (int64_t r = 0; r < rows; ++r, output += d) {
    float top = -INFINITY;
    for (int64_t i = 0; i < count; ++i) top = std::isnan(top) || lses[i][r] <= top ? top : lses[i][r];  // NaN stays
    std::fill_n(output, d, 0.0f);
    lse[r] = -INFINITY;
    if (top == -INFINITY) continue;
    double total = 0;
    for (int64_t i = 0; i < count; ++i) total += std::exp(static_cast<double>(lses[i][r]) - top);
    for (int64_t i = 0; i < count; ++i) {
      const float weight = static_cast<float>(std::exp(static_cast<double>(lses[i][r]) - top) / total);
      if (weight == 0) continue;
      const float* part = outputs[i] + r * d;
      for (int64_t j = 0; j < d; ++j) output[j] += part[j] * weight;
    }
    lse[r] = static_cast<float>(top + std::log(total));
  }
}

}  // namespace sk

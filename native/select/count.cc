#include "count.h"

#include <algorithm>
#include <cmath>

namespace sk {

bool count_cut(const SelectKernel& kernel, const Middle& m, bool magnitude, int64_t k, Habit* habit, float* lo, float* hi, Cut* cut) {
  constexpr int kMostPasses = 8;
  const Spread spread = kernel.spread(m.scores, m.n, magnitude);
  const auto n = static_cast<float>(m.n);
  const float mean = spread.sum / n, deviation = std::sqrt(spread.squares / n - mean * mean);
  if (!(deviation > 0) || !std::isfinite(deviation)) return false;

  // Bounds are in standard deviations from the mean. A pair: the bound, and how many are above it; -1: not known yet.
  struct Counted {
    float z;
    int64_t above;
  } low = {0, -1}, high = {0, -1}, before = {0, -1};
  const int64_t telling = std::max<int64_t>(4, m.n / 128);  // scores between two bounds that say how dense they lie
  float z = habit->place;
  int in_turn = 0;  // how often in turn the lower (positive) or the upper bound has moved
  bool found = false;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const float bound = mean + deviation * z;
    if (!(bound > *lo && bound < *hi)) break;
    const int64_t above = kernel.above(m.scores, m.n, magnitude, bound);
    *cut = {bound, 0};
    if (found = above == k; found) break;
    if (before.above >= 0 && std::abs(above - before.above) >= telling)
      habit->density += 0.25F * (static_cast<float>(before.above - above) / (n * (z - before.z)) - habit->density);
    before = {z, above};
    if (above > k)
      low = before, *lo = bound, in_turn = std::max(in_turn, 0) + 1;
    else
      high = before, *hi = bound, in_turn = std::min(in_turn, 0) - 1;
    if (low.above >= 0 && high.above >= 0) {
      // A bound that moves again and again comes nearer in ever smaller steps: aim a little beyond.
      const float beyond = in_turn > 1 ? 0.75F : in_turn < -1 ? -0.75F : 0;
      z = low.z + (high.z - low.z) * (static_cast<float>(low.above - k) + beyond) / static_cast<float>(low.above - high.above);
    } else {
      z += static_cast<float>(above - k + in_turn) / (n * habit->density);
    }
  }
  habit->rows = std::min(habit->rows + 1, 8);
  habit->place += (z - habit->place) / static_cast<float>(habit->rows);
  return found;
}

}  // namespace sk

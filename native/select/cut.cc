#include "cut.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../core/memory.h"
#include "count.h"

namespace sk {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLowest = std::numeric_limits<float>::lowest();
constexpr Cut kNothing = {kInfinity, 0};

// Unsigned integers in descending order of the scores; -0 and 0 are one.
uint32_t key_of(float x) {
  x += 0.0F;
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits & 0x80000000U ? bits : ~bits & 0x7FFFFFFFU;
}

float value_of(uint32_t key) {
  const uint32_t bits = key & 0x80000000U ? key : ~key & 0x7FFFFFFFU;
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

// The cut that keeps the k best of values [n], which lie in [lo, hi], 1 <= k <= n: the range is halved, in steps of the format, until a
// bound has just k above it or only ties are left. A pass that counts takes a tenth of one that moves values.
Cut nth_best(const SelectKernel& kernel, const float* values, int64_t n, int64_t k, float lo, float hi) {
  const auto above = [&](float bound) { return kernel.above(values, n, false, bound); };
  if (const int64_t more = above(lo); more <= k) return {lo, k - more};
  uint32_t best = key_of(hi), worst = key_of(lo);  // less than k above the best, more above the worst
  int64_t better = 0;
  while (worst - best > 1) {
    const uint32_t middle = best + (worst - best) / 2;
    const int64_t count = above(value_of(middle));
    if (count == k) return {value_of(middle), 0};
    if (count > k)
      worst = middle;
    else
      best = middle, better = count;
  }
  return {value_of(best), k - better};
}

// The part of the scratch behind the values of a census of n scores.
uint32_t* keys_after(float* scratch, int64_t n) { return reinterpret_cast<uint32_t*>(scratch) + round_up(n + 16, 16); }

// Bounds that the k-th best of n lies between, almost surely, from an even sample of the scores. A wrong guess costs time only.
constexpr int64_t kShare = 32, kMostSample = 1024, kLeastSample = 32;

bool guess(const SelectKernel& kernel, const Middle& m, bool magnitude, int64_t k, float* scratch, float* lo, float* hi) {
  const int64_t sample = std::min(m.n / kShare, kMostSample), step = m.n / sample;
  for (int64_t i = 0; i < sample; ++i) {
    const float x = m.scores[i * step + i % step];
    if (std::isnan(x)) return false;
    scratch[i] = magnitude ? std::fabs(x) : x;
  }
  const double share = static_cast<double>(k) / static_cast<double>(m.n), expected = share * static_cast<double>(sample);
  const auto margin = static_cast<int64_t>(3 * std::sqrt(expected * (1 - share))) + 2;
  const int64_t best = static_cast<int64_t>(expected) - margin, worst = static_cast<int64_t>(expected) + margin;
  const auto nth = [&](int64_t rank) { return nth_best(kernel, scratch, sample, rank + 1, -kInfinity, kInfinity).cut; };
  *lo = worst >= sample ? kLowest : std::max(nth(worst), kLowest);
  *hi = best < 0 ? kInfinity : nth(best);
  return true;
}

// False: NaN.
bool top_k(const SelectKernel& kernel, const Middle& m, bool magnitude, int64_t k, Habit* habit, float* scratch, Cut* cut) {
  float lo = kLowest, hi = kInfinity;
  const bool inside = k > 0 && k < m.n, counted = inside && m.n >= kLeastCounted && m.n <= kMostCounted;
  if (counted && count_cut(kernel, m, magnitude, k, habit, &lo, &hi, cut)) return true;
  const bool unknown = lo == kLowest && hi == kInfinity;
  const bool guessed = inside && unknown && m.n >= kShare * kLeastSample && guess(kernel, m, magnitude, k, scratch, &lo, &hi);
  Census found = kernel.census(m.scores, m.n, magnitude, lo, hi, scratch);
  if (found.nan) return false;
  if (k <= 0) return *cut = kNothing, true;
  if (guessed && (found.above >= k || found.above + found.between < k))
    found = kernel.census(m.scores, m.n, magnitude, lo = kLowest, hi = kInfinity, scratch);
  if (found.above + found.between <= k) return *cut = {lo, std::numeric_limits<int64_t>::max()}, true;  // all that are counted
  *cut = nth_best(kernel, scratch, found.between, k - found.above, lo, hi);
  return true;
}

// Descending; by digits of 11 bits where that is faster than comparing.
void sort_keys(uint32_t* keys, int64_t n, uint32_t* other) {
  if (n < 1024) return std::sort(keys, keys + n);
  for (int pass = 0; pass < 3; ++pass) {
    const int shift = pass * 11;
    uint32_t place[2048] = {};
    for (int64_t i = 0; i < n; ++i) ++place[keys[i] >> shift & 2047];
    uint32_t sum = 0;
    for (uint32_t& p : place) {
      const uint32_t count = p;
      p = sum;
      sum += count;
    }
    for (int64_t i = 0; i < n; ++i) other[place[keys[i] >> shift & 2047]++] = keys[i];
    std::swap(keys, other);
  }
  std::memcpy(other, keys, static_cast<size_t>(n) * sizeof(uint32_t));  // three passes: the result lies in the other array
}

// How many of the sorted keys the rule keeps, in double: a sum of a row's float32 scores is exact enough to decide alike everywhere.
int64_t top_p_count(const uint32_t* keys, int64_t n, const Middle& m, const RowRule& rule, double p) {
  if (p == static_cast<double>(kInfinity)) return n;  // nothing reaches it: a row that keeps all, whatever its sum
  if (rule.relative) {
    double sum = m.forced_sum;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(value_of(keys[i]));
    p *= sum;
  }
  const bool at = rule.crossing != Crossing::kInclude;  // a prefix whose sum is p exactly: does it still fit?
  double sum = m.forced_sum;
  const auto fits = [&] { return at ? sum <= p : sum < p; };
  // The forced columns are the start of the prefix: one that has crossed already takes nothing more.
  if (m.forced > 0 && !fits()) return 0;
  int64_t fitting = 0;
  for (; fitting < n; ++fitting) {
    sum += static_cast<double>(value_of(keys[fitting]));
    if (!fits()) break;
  }
  if (rule.crossing == Crossing::kExclude) return fitting;
  if (fitting == n && rule.crossing == Crossing::kInclude && rule.needs_reach) return 0;
  return std::min(n, fitting + 1);
}

bool top_p(const SelectKernel& kernel, const Middle& m, bool magnitude, const RowRule& rule, double p, float* scratch, Cut* cut) {
  const Census found = kernel.census(m.scores, m.n, magnitude, kLowest, kInfinity, scratch);
  if (found.nan || std::isnan(m.forced_sum)) return false;
  const int64_t n = found.between;
  uint32_t* keys = keys_after(scratch, m.n);
  for (int64_t i = 0; i < n; ++i) keys[i] = key_of(scratch[i]);
  sort_keys(keys, n, keys + n);
  int64_t kept = top_p_count(keys, n, m, rule, p);
  kept = std::min({n, std::max(kept, rule.least - m.forced), std::max<int64_t>(0, rule.most - m.forced)});
  if (kept == 0) return *cut = kNothing, true;
  const uint32_t last = keys[kept - 1];
  *cut = {value_of(last), kept - (std::lower_bound(keys, keys + kept, last) - keys)};
  return true;
}

bool threshold(const SelectKernel& kernel, const Middle& m, bool magnitude, const RowRule& rule, float bound, bool strict, Habit* habit,
               float* scratch, Cut* cut) {
  bound = std::max(bound, kLowest);
  const Census found = kernel.census(m.scores, m.n, magnitude, bound, bound, scratch);
  if (found.nan) return false;
  *cut = {bound, strict ? 0 : std::numeric_limits<int64_t>::max()};
  const int64_t most = std::max<int64_t>(0, rule.most - m.forced);
  if (found.above + (strict ? 0 : found.between) <= most) return true;
  return top_k(kernel, m, magnitude, most, habit, scratch, cut);
}

// mean + amount * standard deviation of the finite scores, in double; the amount -infinity stands for all scores, spread or not.
float gaussian_bound(const Middle& m, bool magnitude, double amount) {
  if (amount == -std::numeric_limits<double>::infinity()) return kLowest;
  double sum = 0, squares = 0;
  int64_t n = 0;
  for (int64_t i = 0; i < m.n; ++i) {
    const double x = magnitude ? std::fabs(m.scores[i]) : m.scores[i];
    if (!std::isfinite(x)) continue;
    sum += x;
    squares += x * x;
    ++n;
  }
  if (n == 0) return kLowest;
  const double mean = sum / static_cast<double>(n);
  return static_cast<float>(mean + amount * std::sqrt(std::max(0.0, squares / static_cast<double>(n) - mean * mean)));
}

}  // namespace

bool cut_row(const SelectKernel& kernel, const Middle& m, bool magnitude, const RowRule& rule, int64_t row, Habit* habit, float* scratch,
             Cut* cut) {
  switch (rule.rule) {
    case Rule::kTopK: return top_k(kernel, m, magnitude, std::min<int64_t>(rule.k[row], rule.most) - m.forced, habit, scratch, cut);
    case Rule::kTopP: return top_p(kernel, m, magnitude, rule, rule.amount[row], scratch, cut);
    case Rule::kThreshold: return threshold(kernel, m, magnitude, rule, rule.amount[row], rule.strict, habit, scratch, cut);
    case Rule::kGaussian:
      return threshold(kernel, m, magnitude, rule, gaussian_bound(m, magnitude, rule.amount[row]), true, habit, scratch, cut);
  }
  return true;
}

}  // namespace sk

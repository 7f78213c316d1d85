// The cut of a row that stays in cache, by counting: a pass that counts the scores above a bound costs a tenth of one that sorts them out.
#pragma once

#include "cut.h"

namespace sk {

constexpr int64_t kLeastCounted = 48, kMostCounted = 4096;  // scores of a row: for others counting is not worth it

// Looks for a bound with just k scores above it, 0 < k < n: begins where the rows before this one had theirs, in standard deviations from
// the mean, and goes on by interpolation. True: `cut`. Else the k-th best lies in (lo, hi] (ties, infinities, NaN, bad luck).
bool count_cut(const SelectKernel& kernel, const Middle& middle, bool magnitude, int64_t k, Habit* habit, float* lo, float* hi, Cut* cut);

}  // namespace sk

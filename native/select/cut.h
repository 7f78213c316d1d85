// Where a row is cut: every rule keeps a prefix of the scores in descending order, written as (cut, ties).
#pragma once

#include <cstdint>

#include "kernel.h"
#include "select.h"

namespace sk {

struct Cut {
  float cut;     // kept: scores > cut
  int64_t ties;  // and the first so many of those == cut
};

// The columns of a row that the rule decides on (the forced ones lie before and after them), and what the forced ones use up.
struct Middle {
  const float* scores;
  int64_t n;
  int64_t forced;     // how many columns are forced
  double forced_sum;  // kTopP: of their scores
};

// What the rows of a task have in common so far. It saves time, and changes no result.
struct Habit {
  float place = 0;       // of the cut, in standard deviations from the mean
  float density = 0.3F;  // share of the scores per standard deviation, around there
  int rows = 0;
};

// Scratch of cut_row(): so many floats for n scores, 64-byte aligned.
constexpr int64_t cut_scratch(int64_t n) { return 3 * n + 128; }

// False: there is a NaN.
bool cut_row(const SelectKernel& kernel, const Middle& middle, bool magnitude, const RowRule& rule, int64_t row, Habit* habit,
             float* scratch, Cut* cut);

}  // namespace sk

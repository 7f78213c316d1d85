// select: scores -> what is kept, as masks or as lists.
//
//   groups   N:M: of every m consecutive scores of a row the n best
//   rows     of a row of any length a prefix of its scores in descending order; a rule says how long the prefix is
//
// Ties go to the lower index. Scores are float32 [rows, columns]. Nothing outside the arrays named here is read or written.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../core/kernel.h"
#include "../core/status.h"

namespace sk {

// Exactly one of masked and mask is not null; masked needs weight, which may be the scores themselves.
struct MaskOutput {
  const float* weight = nullptr;  // [rows, columns]
  float* masked = nullptr;        // [rows, columns] weight where kept, else 0
  uint8_t* mask = nullptr;        // [rows, columns] 1 where kept, else 0
};

struct GroupSelection {
  const float* scores = nullptr;
  int64_t rows = 0, columns = 0;  // the last group of a row may be shorter than m
  int n = 0, m = 0;               // m: 2, 4, 8, 16 or 32; 1 <= n < m
  bool magnitude = false;         // compare absolute values; NaN is smallest
  MaskOutput out;
  std::string isa;
  int threads = 1024;  // most threads
};

Status select_groups(const GroupSelection& selection);

enum class Rule : int {
  kTopK = 0,       // the k best
  kTopP = 1,       // the shortest or longest prefix by its sum, see Crossing
  kThreshold = 2,  // scores >= amount (strict: >)
  kGaussian = 3,   // scores > mean + amount * standard deviation of the row
};

// c_j: sum of the j best; p: amount, times the row's sum if `relative`.
enum class Crossing : int {
  kInclude = 0,  // 1 + #{c_j < p}: the shortest prefix that reaches p
  kExclude = 1,  // #{c_j <= p}: the longest prefix that does not exceed p
  kExceed = 2,   // 1 + #{c_j <= p}: that one and the next
};

// Columns [first, limit) of a row can be kept; -Infinity is never kept unless forced. Forced: the first `sink` and the last `local` of
// them. They count towards k, p, `least` and `most`, and come first: k below their number keeps them all the same.
struct RowRule {
  Rule rule = Rule::kTopK;
  const int32_t* k = nullptr;      // [rows], kTopK
  const float* amount = nullptr;   // [rows], the other rules
  const int32_t* limit = nullptr;  // [rows], or null: columns
  int64_t first = 0, sink = 0, local = 0;
  int64_t least = 0;                                   // kTopP: keep at least so many
  int64_t most = std::numeric_limits<int64_t>::max();  // keep at most so many: the best
  Crossing crossing = Crossing::kInclude;
  bool relative = false;     // kTopP: p is a share of the sum
  bool needs_reach = false;  // kTopP, kInclude: nothing (but forced and least) where the whole row does not reach p
  bool strict = false;       // kThreshold
};

struct RowSelection {
  const float* scores = nullptr;
  int64_t rows = 0, columns = 0;
  RowRule rule;
  bool magnitude = false;  // masks only
  // Lists: index [rows, capacity], ids ascending, and count [rows]. A row keeps at most `capacity`: the
  // best; more forced columns than that fail.
  bool lists = false;
  int32_t* index = nullptr;
  int32_t* count = nullptr;
  int64_t capacity = 0;
  // Or masks.
  MaskOutput out;
  std::string isa;
  int threads = 1024;
  const std::atomic<bool>* cancel = nullptr;  // polled between rows
};

// Fails with kNan where a score that could be kept is NaN.
Status select_rows(const RowSelection& selection);

std::vector<KernelRow> select_kernels();

}  // namespace sk

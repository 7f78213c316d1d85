#include "select.h"

#include <algorithm>
#include <limits>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "choose.h"
#include "kernel.h"

namespace sk {

#define SK_SELECT_AVX512(row) extern const SelectKernel select_##row##_avx512;
#define SK_SELECT_AVX2(row) extern const SelectKernel select_##row##_avx2;
#define SK_SELECT_SCALAR(row) extern const SelectKernel select_##row##_scalar;
#define SK_SELECT_SCALAR16(row) extern const SelectKernel select_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const SelectKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_SELECT_AVX512(row) {&select_##row##_avx512, Isa::kAvx512},
#define SK_SELECT_AVX2(row) {&select_##row##_avx2, Isa::kAvx2},
#define SK_SELECT_SCALAR(row) {&select_##row##_scalar, Isa::kScalar},
#define SK_SELECT_SCALAR16(row) {&select_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

// Scores that one task of the thread pool handles, about.
constexpr int64_t kTaskScores = 32768;

// Whole chunks in place; what is left of the stretch, with a last group that may be shorter, in a padded copy.
void groups_of(const GroupSelection& s, const SelectKernel& kernel, int which, int64_t first, int64_t count) {
  const int64_t chunk = static_cast<int64_t>(kernel.lanes) * std::max(s.m, 4);
  const int64_t whole = count / chunk;
  const auto at = [](auto* p, int64_t i) { return p == nullptr ? p : p + i; };
  kernel.groups[which](
      {s.scores + first, at(s.out.weight, first), at(s.out.masked, first), at(s.out.mask, first), whole, s.n, s.magnitude});

  const int64_t rest = count - whole * chunk;
  if (rest == 0) return;
  first += whole * chunk;
  constexpr int64_t kMost = 16 * 32;  // lanes * m
  float scores[kMost];
  uint8_t mask[kMost];
  std::fill_n(scores, chunk, std::numeric_limits<float>::quiet_NaN());  // the smallest, and behind the others: never kept instead of one
  std::copy_n(s.scores + first, rest, scores);
  kernel.groups[which]({scores, nullptr, nullptr, mask, 1, s.n, s.magnitude});
  for (int64_t i = 0; i < rest; ++i) {
    if (s.out.masked != nullptr)
      s.out.masked[first + i] = mask[i] ? s.out.weight[first + i] : 0;
    else
      s.out.mask[first + i] = mask[i];
  }
}

}  // namespace

Status choose_select_kernel(const std::string& isa, const SelectKernel** kernel) {
  const Row* row = nullptr;
  const Status status = choose_kernel(kRows, isa, [](const Row&) { return true; }, &row);
  if (status.ok()) *kernel = row->kernel;
  return status;
}

Status select_groups(const GroupSelection& s) {
  constexpr int kSizes[] = {2, 4, 8, 16, 32};
  const auto* size = std::find(std::begin(kSizes), std::end(kSizes), s.m);
  if (size == std::end(kSizes) || s.n < 1 || s.n >= s.m)
    return Status(Code::kPattern, "expected a pattern N:M with M of 2, 4, 8, 16 or 32 and 1 <= N < M but received " + std::to_string(s.n) +
                                      ":" + std::to_string(s.m));
  const SelectKernel* kernel;
  if (Status status = choose_select_kernel(s.isa, &kernel); !status.ok()) return status;
  const int which = static_cast<int>(size - kSizes);
  // Rows of whole groups are one long row. Stretches of whole groups: no group is cut.
  const bool flat = s.columns % s.m == 0;
  const int64_t rows = flat ? 1 : s.rows, columns = flat ? s.rows * s.columns : s.columns;
  const int64_t stretch = std::min(round_up(kTaskScores, 512), round_up(std::max<int64_t>(columns, 1), 512));
  const int64_t stretches = ceil_div(columns, stretch), batch = std::max<int64_t>(1, kTaskScores / stretch);
  parallel_for(ceil_div(rows * stretches, batch), s.threads, [&](int64_t task, int) {
    for (int64_t i = task * batch; i < std::min((task + 1) * batch, rows * stretches); ++i) {
      const int64_t begin = i % stretches * stretch;
      groups_of(s, *kernel, which, i / stretches * columns + begin, std::min(stretch, columns - begin));
    }
  });
  return Status();
}

std::vector<KernelRow> select_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows)
    rows.push_back({row.kernel->name, "select", "float32", "any", isa_name(row.isa), row.kernel->lanes, isa_supported(row.isa)});
  return rows;
}

}  // namespace sk

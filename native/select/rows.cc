// Rows of any length: each is cut by its rule (cut.h), then its list or its mask is written.
#include <algorithm>
#include <atomic>
#include <string>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "choose.h"
#include "cut.h"
#include "select.h"

namespace sk {
namespace {

enum class Outcome { kDone, kNan, kMemory, kCapacity, kAborted };

// The columns [first, limit) of one row, of which [begin, end) are the rule's to decide and the others forced.
struct Span {
  int64_t first, begin, end, limit;
  int64_t forced() const { return begin - first + limit - end; }
};

Span span_of(const RowSelection& s, int64_t row) {
  const RowRule& rule = s.rule;
  const int64_t limit = std::clamp<int64_t>(rule.limit == nullptr ? s.columns : rule.limit[row], 0, s.columns);
  const int64_t first = std::min(rule.first, limit), begin = first + std::min(rule.sink, limit - first);
  return {first, begin, limit - std::min(rule.local, limit - begin), limit};
}

// What is forced has no share of the sum where its score is -Infinity: no other column could make that up.
double forced_sum(const float* scores, const Span& span) {
  double sum = 0;
  const auto add = [&](float score) {
    if (score != -std::numeric_limits<float>::infinity()) sum += static_cast<double>(score);
  };
  for (int64_t i = span.first; i < span.begin; ++i) add(scores[i]);
  for (int64_t i = span.end; i < span.limit; ++i) add(scores[i]);
  return sum;
}

void write_list(const RowSelection& s, const SelectKernel& kernel, int64_t row, const Span& span, const Cut& cut) {
  int32_t* const index = s.index + row * s.capacity;
  int32_t* to = index;
  for (int64_t i = span.first; i < span.begin; ++i) *to++ = static_cast<int32_t>(i);
  to += kernel.list(s.scores + row * s.columns + span.begin, span.end - span.begin, cut.cut, cut.ties, static_cast<int32_t>(span.begin), to,
                    s.capacity - span.forced());
  for (int64_t i = span.end; i < span.limit; ++i) *to++ = static_cast<int32_t>(i);
  s.count[row] = static_cast<int32_t>(to - index);
}

void write_mask(const RowSelection& s, const SelectKernel& kernel, int64_t row, const Span& span, const Cut& cut) {
  const auto fill = [&](int64_t begin, int64_t end, bool keep) {
    for (int64_t i = row * s.columns + begin; i < row * s.columns + end; ++i) {
      if (s.out.masked != nullptr)
        s.out.masked[i] = keep ? s.out.weight[i] : 0;
      else
        s.out.mask[i] = keep;
    }
  };
  fill(0, span.first, false);
  fill(span.first, span.begin, true);
  const int64_t at = row * s.columns + span.begin;
  int64_t ties = cut.ties;
  kernel.mask(s.scores + at, span.end - span.begin, s.magnitude, cut.cut, &ties, s.out.masked == nullptr ? nullptr : s.out.weight + at,
              s.out.masked == nullptr ? nullptr : s.out.masked + at, s.out.masked == nullptr ? s.out.mask + at : nullptr);
  fill(span.end, span.limit, true);
  fill(span.limit, s.columns, false);
}

Outcome select_row(const RowSelection& s, const SelectKernel& kernel, const RowRule& rule, int64_t row, Habit* habit) {
  const Span span = span_of(s, row);
  if (s.lists && span.forced() > s.capacity) return Outcome::kCapacity;
  const float* scores = s.scores + row * s.columns;
  const Middle middle = {scores + span.begin, span.end - span.begin, span.forced(),
                         rule.rule == Rule::kTopP ? forced_sum(scores, span) : 0};
  auto* scratch = static_cast<float*>(thread_scratch(static_cast<size_t>(cut_scratch(middle.n)) * sizeof(float)));
  if (scratch == nullptr) return Outcome::kMemory;
  Cut cut;
  if (!cut_row(kernel, middle, s.magnitude, rule, row, habit, scratch, &cut)) return Outcome::kNan;
  if (s.lists)
    write_list(s, kernel, row, span, cut);
  else
    write_mask(s, kernel, row, span, cut);
  return Outcome::kDone;
}

// The first NaN that could be kept.
Status nan_status(const RowSelection& s) {
  for (int64_t row = 0; row < s.rows; ++row) {
    const Span span = span_of(s, row);
    for (int64_t i = span.first; i < span.limit; ++i)
      if (const float x = s.scores[row * s.columns + i]; x != x)
        return Status(Code::kNan,
                      "expected scores that are numbers but received NaN in row " + std::to_string(row) + ", column " + std::to_string(i));
  }
  return Status(Code::kNan, "expected scores that are numbers but received NaN");
}

}  // namespace

Status select_rows(const RowSelection& s) {
  const SelectKernel* kernel;
  if (Status status = choose_select_kernel(s.isa, &kernel); !status.ok()) return status;
  if (s.columns > std::numeric_limits<int32_t>::max())
    return Status(Code::kShape, "expected rows of less than 2^31 scores but received " + std::to_string(s.columns));
  RowRule rule = s.rule;
  if (s.lists) rule.most = std::min(rule.most, s.capacity);

  const int64_t batch = std::max<int64_t>(1, 32768 / std::max<int64_t>(s.columns, 1));
  std::atomic<Outcome> outcome{Outcome::kDone};
  parallel_for(ceil_div(s.rows, batch), s.threads, [&](int64_t task, int) {
    if (s.cancel != nullptr && s.cancel->load(std::memory_order_relaxed))
      return outcome.store(Outcome::kAborted, std::memory_order_relaxed);
    Habit habit;
    for (int64_t row = task * batch; row < std::min((task + 1) * batch, s.rows); ++row)
      if (const Outcome o = select_row(s, *kernel, rule, row, &habit); o != Outcome::kDone)
        return outcome.store(o, std::memory_order_relaxed);
  });
  switch (outcome.load()) {
    case Outcome::kDone: return Status();
    case Outcome::kNan: return nan_status(s);
    case Outcome::kAborted: return Status(Code::kAborted, "the run was aborted");
    case Outcome::kMemory: return Status(Code::kMemory, "no memory for the scratch of a selection");
    case Outcome::kCapacity:
      return Status(Code::kShape, "expected a capacity of at least the forced columns but received " + std::to_string(s.capacity));
  }
  return Status();
}

}  // namespace sk

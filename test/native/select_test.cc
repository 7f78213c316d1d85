// select with each operand directly beside pages that trap, on every ISA, against plain sorting.
#include "../../native/select/select.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "../../native/core/parallel.h"
#include "guarded.h"
#include "harness.h"
#include "oracle.h"

namespace sk_test {
namespace {

// Indices of [0, n) in descending order of the scores, ties by index.
std::vector<int> ranking(const float* scores, int64_t n) {
  std::vector<int> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [scores](int a, int b) { return scores[a] > scores[b]; });
  return order;
}

std::vector<float> some_scores(Random& random, int64_t n) {
  std::vector<float> scores = random_dense(random, n, random.below(2) == 0);
  return scores;
}

bool groups(Random& random, const std::string& isa, int64_t rows, int64_t columns, int m, Edge edge) {
  const int n = m == 2 ? 1 : 1 + random.below(m - 1);
  const std::vector<float> values = some_scores(random, rows * columns);
  const Guarded<float> scores(values, edge), masked(values.size(), edge);
  const Guarded<uint8_t> mask(values.size(), edge);
  sk::GroupSelection s;
  s.scores = scores.data(), s.rows = rows, s.columns = columns, s.n = n, s.m = m, s.isa = isa;
  s.out = {scores.data(), masked.data(), nullptr};
  if (!sk::select_groups(s).ok()) return false;
  s.out = {nullptr, nullptr, mask.data()};
  if (!sk::select_groups(s).ok()) return false;
  bool ok = masked.slack_untouched() && mask.slack_untouched();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t g = 0; g < columns; g += m) {
      const int64_t first = row * columns + g, size = std::min<int64_t>(m, columns - g);
      const std::vector<int> order = ranking(values.data() + first, size);
      for (int64_t i = 0; i < size; ++i) {
        const int64_t at = first + order[static_cast<size_t>(i)];
        ok &= mask.data()[at] == (i < n) && masked.data()[at] == (i < n ? values[static_cast<size_t>(at)] : 0);
      }
    }
  return ok;
}

bool lists(Random& random, const std::string& isa, int64_t rows, int64_t columns, Edge edge) {
  const std::vector<float> values = some_scores(random, rows * columns);
  const int32_t k = random.below(static_cast<int>(columns) + 2);
  const int64_t capacity = std::min<int64_t>(k, columns);
  const Guarded<float> scores(values, edge);
  const Guarded<int32_t> ks(std::vector<int32_t>(static_cast<size_t>(rows), k), edge), index(static_cast<size_t>(rows * capacity), edge),
      count(static_cast<size_t>(rows), edge);
  sk::RowSelection s;
  s.scores = scores.data(), s.rows = rows, s.columns = columns, s.isa = isa;
  s.rule.k = ks.data();
  s.lists = true, s.index = index.data(), s.count = count.data(), s.capacity = capacity;
  if (!sk::select_rows(s).ok()) return false;
  bool ok = index.slack_untouched() && count.slack_untouched();
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<int> best = ranking(values.data() + row * columns, columns);
    best.resize(static_cast<size_t>(capacity));
    std::sort(best.begin(), best.end());
    ok &= count.data()[row] == capacity && std::equal(best.begin(), best.end(), index.data() + row * capacity);
  }
  return ok;
}

}  // namespace

void select_suite() {
  sk::ThreadPool& pool = sk::ThreadPool::instance();
  pool.retain();
  pool.set_threads(2);
  for (const sk::KernelRow& row : sk::select_kernels()) {
    if (!row.supported) continue;
    Random random(7);
    bool ok = true;
    for (const int64_t rows : {0, 1, 3})
      for (const int64_t columns : {1, 3, 4, 15, 16, 17, 64, 129, 600, 1030})
        for (const Edge edge : {Edge::kEnd, Edge::kStart}) {
          for (const int m : {2, 4, 8, 16, 32}) {
            at("groups of %d of %d x %d on %s", m, static_cast<int>(rows), static_cast<int>(columns), row.name);
            ok &= groups(random, row.isa, rows, columns, m, edge);
          }
          at("top-k of %d x %d on %s", static_cast<int>(rows), static_cast<int>(columns), row.name);
          ok &= lists(random, row.isa, rows, columns, edge);
        }
    for (const int64_t columns : {5000, 40000}) {  // as many as are cut after a sample of them
      at("top-k of 2 x %d on %s", static_cast<int>(columns), row.name);
      ok &= lists(random, row.isa, 2, columns, Edge::kEnd);
    }
    check(ok, std::string(row.name) + " beside guard pages");
  }
  pool.set_threads(1);
  pool.release();
}

}  // namespace sk_test

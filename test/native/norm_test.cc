// norm: beside guard pages, in place and not, against float64 sums of whole columns and rows.
#include "../../native/norm/norm.h"

#include <cmath>
#include <vector>

#include "../../native/core/parallel.h"
#include "guarded.h"
#include "harness.h"
#include "oracle.h"

namespace sk_test {
namespace {

double at(const std::vector<float>& values, int64_t i) { return static_cast<double>(values[static_cast<size_t>(i)]); }

double activated(double a, sk::NormActivation activation) {
  switch (activation) {
    case sk::NormActivation::kNone: return a;
    case sk::NormActivation::kRelu: return std::fmax(a, 0);
    case sk::NormActivation::kRelu6: return std::fmin(std::fmax(a, 0), 6);
    case sk::NormActivation::kGelu: return a * std::erfc(-a / std::sqrt(2.0)) / 2;
  }
  return a;
}

std::string normalise(Random& random) {
  const int64_t rows = random.below(random.below(3) ? 9 : 3000), channels = 1 + random.below(40);
  const auto norm = static_cast<sk::Norm>(random.below(3));
  const auto activation = static_cast<sk::NormActivation>(random.below(4));
  const Edge edge = random.below(2) ? Edge::kEnd : Edge::kStart;
  const bool affine = random.below(2), adds = random.below(2), in_place = random.below(2);
  const std::vector<float> x = random_dense(random, rows * channels, false), added = random_dense(random, rows * channels, false);
  const std::vector<float> weight = random_dense(random, channels, false), bias = random_dense(random, channels, false);
  const Guarded<float> gx(x, edge), ga(added, edge), gw(weight, edge), gb(bias, edge), gy(x.size(), edge);
  sk::NormOptions o;
  o.rows = rows, o.channels = channels, o.norm = norm, o.activation = activation, o.epsilon = 1e-3;
  o.x = gx.data(), o.y = in_place ? gx.data() : gy.data();
  if (adds) o.added = ga.data();
  if (affine) o.weight = gw.data(), o.bias = gb.data();
  if (const sk::Status status = sk::norm_rows(o, nullptr); !status.ok()) return status.message();
  if (!gx.slack_untouched() || !gy.slack_untouched()) return "norm_rows() wrote beside y";
  const bool over_rows = norm == sk::Norm::kBatch;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < channels; ++c) {
      double value = at(x, r * channels + c);
      if (norm != sk::Norm::kNone) {
        const int64_t count = over_rows ? rows : channels, first = over_rows ? c : r * channels, step = over_rows ? channels : 1;
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < count; ++i) sum += at(x, first + i * step);
        for (int64_t i = 0; i < count; ++i) squares += std::pow(at(x, first + i * step) - sum / static_cast<double>(count), 2);
        value = (value - sum / static_cast<double>(count)) / std::sqrt(squares / static_cast<double>(count) + 1e-3);
        if (affine) value = value * at(weight, c) + at(bias, c);
        if (over_rows && r > 40) continue;  // columns are long: a few rows show what they come to
      }
      const double expected = activated(adds ? value + at(added, r * channels + c) : value, activation);
      if (!(std::fabs(static_cast<double>(o.y[r * channels + c]) - expected) <= 1e-5 * (1 + std::fabs(expected))))
        return "y[" + std::to_string(r * channels + c) + "] differs";
    }
  return "";
}

}  // namespace

void norm_suite() {
  sk::ThreadPool& pool = sk::ThreadPool::instance();
  pool.retain();
  pool.set_threads(2);
  Random random(12);
  std::string problem;
  for (int i = 0; i < 80 && problem.empty(); ++i) problem = normalise(random);
  check(problem.empty(), "norm" + (problem.empty() ? ", 80 problems" : ": " + problem));
  pool.set_threads(1);
  pool.release();
}

}  // namespace sk_test

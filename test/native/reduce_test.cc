// Reductions over maps: numbers are small integers, so sums and squares are exact.
#include <cmath>
#include <vector>

#include "../../native/mapreduce/mapreduce.h"
#include "map_problem.h"

namespace sk_test {
namespace {

// Sums, maxima and the gradient of maxima.
std::string sums_and_maxima(Random& random, const sk::Map& map, Edge edge) {
  const int64_t channels = 1 + random.below(40);
  const std::vector<float> x = random_dense(random, map.in_rows() * channels, true), row = random_dense(random, map.out_rows(), true);
  const size_t size = static_cast<size_t>(map.out_rows() * channels);
  std::vector<double> sum(size), max(size), gradient(x.size());
  std::vector<int64_t> winner(size, -1);  // the input element
  for (size_t e = 0; e < size; ++e) max[e] = row[e / static_cast<size_t>(channels)];
  for (int64_t p = 0; p < map.pairs(); ++p)
    for (int64_t c = 0; c < channels; ++c) {
      const size_t i = static_cast<size_t>(map.in()[p] * channels + c), o = static_cast<size_t>(map.out()[p] * channels + c);
      sum[o] += static_cast<double>(x[i]) * row[static_cast<size_t>(map.out()[p])];
      if (x[i] > max[o]) max[o] = x[i], winner[o] = static_cast<int64_t>(i);
    }
  const Guarded<float> guarded_x(x, edge), guarded_row(row, edge), y(size, edge), dx(x.size(), edge);
  const Guarded<int32_t> winners(size, edge);
  sk::ReduceOptions o;
  o.channels = channels, o.x = guarded_x.data(), o.row = guarded_row.data(), o.y = y.data();
  if (const sk::Status status = sk::map_reduce(map.view(), o, nullptr); !status.ok()) return status.message();
  if (!y.slack_untouched() || first_difference(y.data(), sum, 0) >= 0) return "the sum differs";
  o.reduction = sk::Reduction::kMax;
  if (random.below(2)) o.winner = winners.data();
  if (const sk::Status status = sk::map_reduce(map.view(), o, nullptr); !status.ok()) return status.message();
  if (!y.slack_untouched() || !winners.slack_untouched() || first_difference(y.data(), max, 0) >= 0) return "the maximum differs";
  if (o.winner == nullptr) return "";
  const std::vector<float> dy = random_dense(random, static_cast<int64_t>(size), true);
  for (size_t e = 0; e < size; ++e)
    if (winner[e] >= 0) gradient[static_cast<size_t>(winner[e])] += dy[e];
  const Guarded<float> guarded_dy(dy, edge);
  sk::ReduceOptions back;
  back.reduction = sk::Reduction::kMaxGradient;
  back.channels = channels, back.x = guarded_dy.data(), back.winner = winners.data(), back.y = dx.data();
  if (const sk::Status status = sk::map_reduce(map.swapped()->view(), back, nullptr); !status.ok()) return status.message();
  return dx.slack_untouched() && first_difference(dx.data(), gradient, 0) < 0 ? "" : "the gradient of the maximum differs";
}

// Means, variances and their gradient. Quotients round, so these are compared within a few units in the last place of their terms.
std::string moments(Random& random, const sk::Map& map, Edge edge) {
  const int64_t channels = 1 + random.below(40);
  const std::vector<float> x = random_dense(random, map.in_rows() * channels, true);
  const size_t size = static_cast<size_t>(map.out_rows() * channels), width = static_cast<size_t>(channels);
  std::vector<double> mean(size), variance(size), gradient(x.size());
  std::vector<double> counts(static_cast<size_t>(map.out_rows()));
  const auto each = [&](auto&& use) {
    for (int64_t p = 0; p < map.pairs(); ++p)
      for (size_t c = 0; c < width; ++c) use(static_cast<size_t>(map.in()[p]) * width + c, static_cast<size_t>(map.out()[p]) * width + c);
  };
  for (int64_t p = 0; p < map.pairs(); ++p) ++counts[static_cast<size_t>(map.out()[p])];
  const auto count = [&](size_t o) { return std::max(counts[o / width], 1.0); };
  each([&](size_t i, size_t o) { mean[o] += static_cast<double>(x[i]) / count(o); });
  each([&](size_t i, size_t o) { variance[o] += std::pow(static_cast<double>(x[i]) - mean[o], 2) / count(o); });

  const Guarded<float> guarded_x(x, edge), means(size, edge), variances(size, edge), dx(x.size(), edge);
  sk::ReduceOptions o;
  o.reduction = sk::Reduction::kMean;
  o.channels = channels, o.x = guarded_x.data(), o.y = means.data();
  if (const sk::Status status = sk::map_reduce(map.view(), o, nullptr); !status.ok()) return status.message();
  if (!means.slack_untouched() || first_difference(means.data(), mean, 1e-4) >= 0) return "the mean differs";
  o.reduction = sk::Reduction::kMoments;
  o.variance = variances.data();
  if (const sk::Status status = sk::map_reduce(map.view(), o, nullptr); !status.ok()) return status.message();
  if (!means.slack_untouched() || first_difference(means.data(), mean, 1e-4) >= 0) return "the mean of the moments differs";
  if (!variances.slack_untouched() || first_difference(variances.data(), variance, 1e-3) >= 0) return "the variance differs";

  const std::vector<float> base = random_dense(random, static_cast<int64_t>(size), true),
                           slope = random_dense(random, static_cast<int64_t>(size), true);
  std::vector<float> centre(size);
  for (size_t e = 0; e < size; ++e) centre[e] = static_cast<float>(random.below(9) - 4);
  each([&](size_t i, size_t e) {
    gradient[i] +=
        static_cast<double>(base[e]) + static_cast<double>(slope[e]) * (static_cast<double>(x[i]) - static_cast<double>(centre[e]));
  });
  const Guarded<float> guarded_base(base, edge), guarded_slope(slope, edge), guarded_centre(centre, edge);
  sk::ReduceOptions back;
  back.reduction = sk::Reduction::kMomentsGradient;
  back.channels = channels, back.x = guarded_base.data(), back.slope = guarded_slope.data(), back.centre = guarded_centre.data();
  back.at = guarded_x.data(), back.y = dx.data();
  if (const sk::Status status = sk::map_reduce(map.swapped()->view(), back, nullptr); !status.ok()) return status.message();
  return dx.slack_untouched() && first_difference(dx.data(), gradient, 0) < 0 ? "" : "the gradient of the moments differs";
}

}  // namespace

std::string reduce(Random& random, const sk::Map& map, Edge edge) {
  const std::string problem = sums_and_maxima(random, map, edge);
  return problem.empty() ? moments(random, map, edge) : problem;
}

}  // namespace sk_test

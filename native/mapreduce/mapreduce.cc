#include "mapreduce.h"

#include <algorithm>
#include <string>

#include "../core/memory.h"
#include "../core/parallel.h"

namespace sk {
namespace {

constexpr int64_t kBlockFloats = 16384;  // of y: it stays in L2 while the groups pass
constexpr int64_t kMostRows = 1024;      // of a block

void add(const float* x, int64_t channels, float* y) {
  for (int64_t c = 0; c < channels; ++c) y[c] += x[c];
}

void add_squares(const float* x, const float* mean, int64_t channels, float* y) {
  for (int64_t c = 0; c < channels; ++c) y[c] += (x[c] - mean[c]) * (x[c] - mean[c]);
}

void take_larger(const float* x, int64_t channels, float* y) {
  for (int64_t c = 0; c < channels; ++c) y[c] = x[c] > y[c] || x[c] != x[c] ? x[c] : y[c];
}

void take_larger(const float* x, int64_t channels, int32_t group, float* y, int32_t* winner) {
  for (int64_t c = 0; c < channels; ++c) {
    const bool wins = x[c] > y[c] || x[c] != x[c];
    winner[c] = wins ? group : winner[c];
    y[c] = wins ? x[c] : y[c];
  }
}

void add_where_won(const float* x, const int32_t* winner, int64_t channels, int32_t group, float* y) {
  for (int64_t c = 0; c < channels; ++c) y[c] += winner[c] == group ? x[c] : 0.0f;
}

void add_on_slope(const float* x, const float* slope, const float* centre, const float* at, int64_t channels, float* y) {
  for (int64_t c = 0; c < channels; ++c) y[c] += x[c] + slope[c] * (at[c] - centre[c]);
}

// Calls use(group, input row, output row) for the pairs of some output rows.
template <class Use>
void for_each_pair(const PairsView& pairs, int64_t first, int64_t end, Use&& use) {
  for (int64_t g = 0; g < pairs.groups; ++g) {
    const int32_t *begin = pairs.out + pairs.starts[g], *stop = pairs.out + pairs.starts[g + 1];
    for (const int32_t* p = std::lower_bound(begin, stop, static_cast<int32_t>(first)); p < stop && *p < end; ++p)
      use(static_cast<int32_t>(g), static_cast<int64_t>(pairs.in[p - pairs.out]), static_cast<int64_t>(*p));
  }
}

// rows of y over the number of their pairs.
void divide(const int32_t* counts, int64_t rows, int64_t channels, float* y) {
  for (int64_t r = 0; r < rows; ++r) {
    const float count = static_cast<float>(std::max(counts[r], 1));
    for (int64_t c = 0; c < channels; ++c) y[r * channels + c] /= count;
  }
}

void means(const PairsView& pairs, const ReduceOptions& o, int64_t first, int64_t end) {
  const int64_t channels = o.channels;
  int32_t counts[kMostRows] = {};
  for_each_pair(pairs, first, end, [&](int32_t, int64_t in, int64_t out) {
    add(o.x + in * channels, channels, o.y + out * channels);
    ++counts[out - first];
  });
  divide(counts, end - first, channels, o.y + first * channels);
  if (o.reduction == Reduction::kMean) return;
  std::fill_n(o.variance + first * channels, (end - first) * channels, 0.0f);
  for_each_pair(pairs, first, end, [&](int32_t, int64_t in, int64_t out) {
    add_squares(o.x + in * channels, o.y + out * channels, channels, o.variance + out * channels);
  });
  divide(counts, end - first, channels, o.variance + first * channels);
}

void sums(const PairsView& pairs, const ReduceOptions& o, int64_t first, int64_t end) {
  const int64_t channels = o.channels;
  for_each_pair(pairs, first, end, [&](int32_t, int64_t in, int64_t out) { add(o.x + in * channels, channels, o.y + out * channels); });
  if (o.row == nullptr) return;
  for (int64_t r = first; r < end; ++r)
    for (int64_t c = 0; c < channels; ++c) o.y[r * channels + c] *= o.row[r];
}

void maxima(const PairsView& pairs, const ReduceOptions& o, int64_t first, int64_t end) {
  const int64_t channels = o.channels;
  for (int64_t r = first; r < end; ++r) std::fill_n(o.y + r * channels, channels, o.row[r]);
  if (o.winner == nullptr) {
    for_each_pair(pairs, first, end,
                  [&](int32_t, int64_t in, int64_t out) { take_larger(o.x + in * channels, channels, o.y + out * channels); });
    return;
  }
  std::fill_n(o.winner + first * channels, (end - first) * channels, -1);
  for_each_pair(pairs, first, end, [&](int32_t group, int64_t in, int64_t out) {
    take_larger(o.x + in * channels, channels, group, o.y + out * channels, o.winner + out * channels);
  });
}

void block(const PairsView& pairs, const ReduceOptions& o, int64_t first, int64_t end) {
  const int64_t channels = o.channels;
  std::fill_n(o.y + first * channels, (end - first) * channels, 0.0f);
  switch (o.reduction) {
    case Reduction::kSum: return sums(pairs, o, first, end);
    case Reduction::kMean:
    case Reduction::kMoments: return means(pairs, o, first, end);
    case Reduction::kMax: return maxima(pairs, o, first, end);
    case Reduction::kMaxGradient:
      return for_each_pair(pairs, first, end, [&](int32_t group, int64_t in, int64_t out) {
        add_where_won(o.x + in * channels, o.winner + in * channels, channels, group, o.y + out * channels);
      });
    case Reduction::kMomentsGradient:
      return for_each_pair(pairs, first, end, [&](int32_t, int64_t in, int64_t out) {
        const int64_t from = in * channels, to = out * channels;
        add_on_slope(o.x + from, o.slope + from, o.centre + from, o.at + to, channels, o.y + to);
      });
  }
}

}  // namespace

Status map_reduce(const PairsView& pairs, const ReduceOptions& options, const std::atomic<bool>* cancel) {
  const int64_t rows = std::clamp<int64_t>(kBlockFloats / options.channels, 16, kMostRows);
  parallel_for(ceil_div(pairs.out_rows, rows), 1024, [&](int64_t task, int) {
    if (cancel && cancel->load(std::memory_order_relaxed)) return;
    block(pairs, options, task * rows, std::min((task + 1) * rows, pairs.out_rows));
  });
  return cancel && cancel->load(std::memory_order_relaxed) ? Status(Code::kAborted, "the run was aborted") : Status();
}

}  // namespace sk

#include "mapreduce.h"

#include <algorithm>
#include <string>

#include "../core/memory.h"
#include "../core/parallel.h"

namespace sk {
namespace {

constexpr int64_t kBlockFloats = 16384;  // of y: it stays in L2 while the groups pass

void add(const float* x, int64_t channels, float* y) {
  for (int64_t c = 0; c < channels; ++c) y[c] += x[c];
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

void block(const PairsView& pairs, const ReduceOptions& o, int64_t first, int64_t end) {
  const int64_t channels = o.channels;
  for (int64_t r = first; r < end; ++r) std::fill_n(o.y + r * channels, channels, o.reduction == Reduction::kMax ? o.row[r] : 0.0f);
  if (o.reduction == Reduction::kMax && o.winner) std::fill_n(o.winner + first * channels, (end - first) * channels, -1);
  for (int64_t g = 0; g < pairs.groups; ++g) {
    const int32_t *begin = pairs.out + pairs.starts[g], *stop = pairs.out + pairs.starts[g + 1];
    for (const int32_t* p = std::lower_bound(begin, stop, static_cast<int32_t>(first)); p < stop && *p < end; ++p) {
      const int64_t in = pairs.in[p - pairs.out] * channels, out = *p * channels;
      const int32_t group = static_cast<int32_t>(g);
      switch (o.reduction) {
        case Reduction::kSum: add(o.x + in, channels, o.y + out); break;
        case Reduction::kMax:
          if (o.winner)
            take_larger(o.x + in, channels, group, o.y + out, o.winner + out);
          else
            take_larger(o.x + in, channels, o.y + out);
          break;
        case Reduction::kMaxGradient: add_where_won(o.x + in, o.winner + in, channels, group, o.y + out); break;
      }
    }
  }
  if (o.reduction != Reduction::kSum || o.row == nullptr) return;
  for (int64_t r = first; r < end; ++r)
    for (int64_t c = 0; c < channels; ++c) o.y[r * channels + c] *= o.row[r];
}

}  // namespace

Status map_reduce(const PairsView& pairs, const ReduceOptions& options, const std::atomic<bool>* cancel) {
  const int64_t rows = std::clamp<int64_t>(kBlockFloats / options.channels, 16, 1024);
  parallel_for(ceil_div(pairs.out_rows, rows), 1024, [&](int64_t task, int) {
    if (cancel && cancel->load(std::memory_order_relaxed)) return;
    block(pairs, options, task * rows, std::min((task + 1) * rows, pairs.out_rows));
  });
  return cancel && cancel->load(std::memory_order_relaxed) ? Status(Code::kAborted, "the run was aborted") : Status();
}

}  // namespace sk

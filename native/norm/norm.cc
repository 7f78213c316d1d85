#include "norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "../core/memory.h"
#include "../core/parallel.h"

namespace sk {
namespace {

constexpr int64_t kBlockFloats = 32768;  // of x: one task

int64_t block_rows(int64_t channels) { return std::max<int64_t>(1, kBlockFloats / channels); }

// sums [channels] of term(value, channel) over all rows, block by block.
template <class Term>
bool sum_rows(const float* x, int64_t rows, int64_t channels, double* sums, Term term) {
  const int64_t each = block_rows(channels), blocks = ceil_div(rows, each);
  AlignedBuffer partial;
  if (!partial.reserve(static_cast<size_t>(blocks * channels) * sizeof(double))) return false;
  parallel_for(blocks, 1024, [&](int64_t block, int) {
    double* of_block = partial.as<double>() + block * channels;
    std::fill_n(of_block, channels, 0.0);
    for (int64_t r = block * each; r < std::min(rows, (block + 1) * each); ++r)
      for (int64_t c = 0; c < channels; ++c) of_block[c] += term(static_cast<double>(x[r * channels + c]), c);
  });
  std::fill_n(sums, channels, 0.0);
  for (int64_t i = 0; i < blocks * channels; ++i) sums[i % channels] += partial.as<double>()[i];
  return true;
}

float activate(float a, NormActivation activation) {
  switch (activation) {
    case NormActivation::kNone: return a;
    case NormActivation::kRelu: return a < 0 ? 0 : a;  // NaN stays NaN
    case NormActivation::kRelu6: return a < 0 ? 0 : a > 6 ? 6 : a;
    case NormActivation::kGelu: return static_cast<float>(0.5 * a * (1 + std::erf(a * 0.70710678118654752)));
  }
  return a;
}

// value(c) of a row, through what all norms end with.
template <class Value>
void finish_row(const NormOptions& o, int64_t row, Value value) {
  const float* added = o.added ? o.added + row * o.channels : nullptr;
  float* y = o.y + row * o.channels;
  for (int64_t c = 0; c < o.channels; ++c) {
    const double v = value(c);
    y[c] = activate(static_cast<float>(added ? v + static_cast<double>(added[c]) : v), o.activation);
  }
}

void layer_row(const NormOptions& o, int64_t row) {
  const float* x = o.x + row * o.channels;
  double mean = 0, variance = 0;
  for (int64_t c = 0; c < o.channels; ++c) mean += static_cast<double>(x[c]);
  mean /= static_cast<double>(o.channels);
  for (int64_t c = 0; c < o.channels; ++c) variance += (static_cast<double>(x[c]) - mean) * (static_cast<double>(x[c]) - mean);
  const double scale = 1 / std::sqrt(variance / static_cast<double>(o.channels) + o.epsilon);
  finish_row(o, row, [&](int64_t c) {
    const double n = (static_cast<double>(x[c]) - mean) * scale;
    return n * (o.weight ? static_cast<double>(o.weight[c]) : 1) + (o.bias ? static_cast<double>(o.bias[c]) : 0);
  });
}

Status no_memory() { return Status(Code::kMemory, "no memory for the sums of a normalisation"); }

}  // namespace

Status row_moments(const float* x, int64_t rows, int64_t channels, double* mean, double* variance) {
  const double count = static_cast<double>(std::max<int64_t>(rows, 1));
  if (!sum_rows(x, rows, channels, mean, [](double v, int64_t) { return v; })) return no_memory();
  for (int64_t c = 0; c < channels; ++c) mean[c] /= count;
  if (!sum_rows(x, rows, channels, variance, [mean](double v, int64_t c) { return (v - mean[c]) * (v - mean[c]); })) return no_memory();
  for (int64_t c = 0; c < channels; ++c) variance[c] /= count;
  return Status();
}

Status norm_rows(const NormOptions& o, const std::atomic<bool>* cancel) {
  std::vector<double> scale, shift;
  if (o.norm == Norm::kBatch) {
    const size_t channels = static_cast<size_t>(o.channels);
    std::vector<double> mean(channels), variance(channels);
    if (o.mean) {
      std::copy_n(o.mean, channels, mean.begin());
      std::copy_n(o.variance, channels, variance.begin());
    } else if (Status status = row_moments(o.x, o.rows, o.channels, mean.data(), variance.data()); !status.ok()) {
      return status;
    }
    for (size_t c = 0; c < channels; ++c) {
      scale.push_back((o.weight ? static_cast<double>(o.weight[c]) : 1) / std::sqrt(variance[c] + o.epsilon));
      shift.push_back((o.bias ? static_cast<double>(o.bias[c]) : 0) - mean[c] * scale[c]);
    }
  }
  const auto cancelled = [cancel] { return cancel && cancel->load(std::memory_order_relaxed); };
  const int64_t each = block_rows(o.channels);
  parallel_for(ceil_div(o.rows, each), 1024, [&](int64_t block, int) {
    if (cancelled()) return;
    for (int64_t row = block * each; row < std::min(o.rows, (block + 1) * each); ++row) {
      const float* x = o.x + row * o.channels;
      switch (o.norm) {
        case Norm::kNone: finish_row(o, row, [x](int64_t c) { return static_cast<double>(x[c]); }); break;
        case Norm::kBatch:
          finish_row(o, row,
                     [&](int64_t c) { return static_cast<double>(x[c]) * scale[static_cast<size_t>(c)] + shift[static_cast<size_t>(c)]; });
          break;
        case Norm::kLayer: layer_row(o, row); break;
      }
    }
  });
  return cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

}  // namespace sk

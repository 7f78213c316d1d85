#include "mapmm.h"

#include <algorithm>
#include <cstring>

#include "../core/parallel.h"

namespace sk {

#define SK_MAPMM_AVX512(row, Loops, depthwise) extern const MapmmKernel mapmm_##row##_avx512;
#define SK_MAPMM_AVX2(row, Loops, depthwise) extern const MapmmKernel mapmm_##row##_avx2;
#define SK_MAPMM_SCALAR(row, Loops, depthwise) extern const MapmmKernel mapmm_##row##_scalar;
#define SK_MAPMM_SCALAR16(row, Loops, depthwise) extern const MapmmKernel mapmm_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const MapmmKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_MAPMM_AVX512(row, Loops, depthwise) {&mapmm_##row##_avx512, Isa::kAvx512},
#define SK_MAPMM_AVX2(row, Loops, depthwise) {&mapmm_##row##_avx2, Isa::kAvx2},
#define SK_MAPMM_SCALAR(row, Loops, depthwise) {&mapmm_##row##_scalar, Isa::kScalar},
#define SK_MAPMM_SCALAR16(row, Loops, depthwise) {&mapmm_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

constexpr int64_t kAccFloats = 32768;  // of a block: a quarter of a small L2; the rows of x that it reads take another
constexpr int64_t kMostRows = 1024, kFewestRows = 48;
constexpr int64_t kMostOuts = 128;  // a multiple of every panel

constexpr int64_t kWindowFloats = 65536;  // of the windows of a block: half of a small L2
constexpr int64_t kMostTiles = 8;

// How the output [rows, splits * out_padded] is cut into blocks.
struct Blocks {
  int64_t rows, outs, splits;  // of one block
  int64_t row_blocks, out_blocks, split_blocks;
};

Blocks cut(int64_t rows, int64_t out_padded, int64_t splits, int threads) {
  Blocks b;
  b.outs = std::min(out_padded, kMostOuts);
  b.splits = std::clamp<int64_t>(kMostOuts / b.outs, 1, splits);
  b.out_blocks = ceil_div(out_padded, b.outs);
  b.split_blocks = ceil_div(splits, b.splits);
  // Rows: many, so that each group has whole tiles of pairs; but some blocks for every thread.
  const int64_t most = std::clamp(kAccFloats / (b.outs * b.splits), kFewestRows, kMostRows);
  const int64_t wanted = ceil_div(4 * static_cast<int64_t>(threads), b.out_blocks * b.split_blocks);
  b.rows = std::clamp<int64_t>(ceil_div(rows, threads > 1 ? wanted : 1), kFewestRows, most);
  b.row_blocks = ceil_div(rows, b.rows);
  return b;
}

}  // namespace

Status MapmmPlan::create(const MapmmOptions& options, std::shared_ptr<const MapmmPlan>* result) {
  if (options.groups < 1 || options.in < 1 || options.out < 1 || options.splits < 1)
    return Status(Code::kShape, "expected at least one group, input channel, output channel and split");
  const bool depthwise = options.in == 1 && options.out == 1 && options.splits > 1;
  std::shared_ptr<MapmmPlan> plan(new MapmmPlan);
  const auto fits = [depthwise](const Row& row) { return row.kernel->depthwise == depthwise; };
  const Row* row;
  if (Status status = choose_kernel(kRows, options.isa, fits, &row); !status.ok()) return status;
  plan->kernel_ = row->kernel;
  plan->groups_ = options.groups;
  plan->in_ = depthwise ? 1 : options.in;
  plan->out_ = depthwise ? options.splits : options.out;
  plan->splits_ = depthwise ? 1 : options.splits;
  plan->out_padded_ = round_up(plan->out_, plan->kernel_->lanes);
  plan->activation_ = options.activation;
  plan->threads_ = options.threads > 0 ? options.threads : 1024;
  int64_t floats;
  const int64_t columns = plan->splits_ * plan->out_padded_;
  if (!checked_multiply(plan->groups_, plan->in_, &floats) || !checked_multiply(floats, columns, &floats) ||
      !checked_multiply(floats, 4, &floats) || !plan->weight_.reserve(static_cast<size_t>(floats)) ||
      !plan->bias_.reserve(static_cast<size_t>(columns) * 4))
    return Status(Code::kMemory, "no memory for the packed weight");
  plan->bytes_ = static_cast<size_t>(floats) + static_cast<size_t>(columns) * 4;
  plan->pack(options);
  *result = std::move(plan);
  return Status();
}

void MapmmPlan::pack(const MapmmOptions& o) {
  const int64_t panel = 2 * kernel_->lanes;
  float *to = weight_.as<float>(), *bias = bias_.as<float>();
  for (int64_t s = 0; s < splits_; ++s)
    for (int64_t c = 0; c < out_padded_; ++c) *bias++ = o.bias && c < out_ ? o.bias[s * out_ + c] : 0;
  const auto element = [&](int64_t s, int64_t g, int64_t c, int64_t i) {
    return o.transposed && !kernel_->depthwise ? o.weight[((s * in_ + i) * groups_ + g) * out_ + c]
                                               : o.weight[((s * out_ + c) * groups_ + g) * in_ + i];
  };
  for (int64_t s = 0; s < splits_; ++s)
    for (int64_t g = 0; g < groups_; ++g)
      for (int64_t first = 0; first < out_padded_; first += panel) {
        const int64_t end = std::min(first + panel, out_padded_);
        for (int64_t i = 0; i < in_; ++i)
          for (int64_t c = first; c < end; ++c) *to++ = c < out_ ? element(s, g, c, i) : 0;
      }
}

// By what both nests do: windows multiply absent inputs as zeros, pairs load and store the sums for every group: a dense layer two vectors
// of them for in x 2 multiply-adds, a depthwise one a vector for each.
bool MapmmPlan::gathers_tiles(const PairsView& pairs) const {
  if (pairs.tiles == nullptr || splits_ != 1) return false;
  const double windows = static_cast<double>(pairs.out_rows) * static_cast<double>(groups_),
               present = static_cast<double>(pairs.starts[groups_]);
  return windows <= present * (kernel_->depthwise ? 3.0 : 1.0 + 2.0 / static_cast<double>(in_));
}

Status MapmmPlan::run(const PairsView& pairs, const float* x, float* y, const std::atomic<bool>* cancel) const {
  if (pairs.groups != groups_)
    return Status(Code::kShape, "expected a map of " + std::to_string(groups_) + " groups but received " + std::to_string(pairs.groups));
  const int slots = std::min(threads_, ThreadPool::instance().threads());
  if (gathers_tiles(pairs)) return run_tiles(*pairs.tiles, slots, x, y, cancel);
  const Blocks blocks = cut(pairs.out_rows, out_padded_, splits_, slots);
  const size_t acc_bytes = static_cast<size_t>(blocks.rows * blocks.outs * blocks.splits) * 4;
  std::atomic<bool> failed{false};
  // Blocks of the same rows follow each other: the rows of x are still in the cache.
  const int64_t columns = blocks.out_blocks * blocks.split_blocks;
  parallel_for(blocks.row_blocks * columns, slots, [&](int64_t task, int) {
    if (cancel && cancel->load(std::memory_order_relaxed)) return;
    auto* scratch = static_cast<char*>(thread_scratch(acc_bytes + static_cast<size_t>(2 * groups_) * 8));
    if (scratch == nullptr) {
      failed.store(true);
      return;
    }
    auto *begin = reinterpret_cast<int64_t*>(scratch + acc_bytes), *end = begin + groups_;
    const int64_t first_row = task / columns * blocks.rows, rows = std::min(blocks.rows, pairs.out_rows - first_row);
    for (int64_t g = 0; g < groups_; ++g) {
      const int32_t *first = pairs.out + pairs.starts[g], *last = pairs.out + pairs.starts[g + 1];
      const int32_t* lower = std::lower_bound(first, last, static_cast<int32_t>(first_row));
      begin[g] = lower - pairs.out;
      end[g] = std::lower_bound(lower, lower + std::min<int64_t>(rows, last - lower), static_cast<int32_t>(first_row + rows)) - pairs.out;
    }
    const int64_t first_out = task % blocks.out_blocks * blocks.outs;
    const int64_t first_split = task / blocks.out_blocks % blocks.split_blocks * blocks.splits;
    kernel_->run({groups_,
                  begin,
                  end,
                  pairs.in,
                  pairs.out,
                  first_row,
                  rows,
                  x,
                  in_channels(),
                  weight_.as<float>(),
                  in_,
                  out_,
                  out_padded_,
                  first_split,
                  std::min(blocks.splits, splits_ - first_split),
                  first_out,
                  std::min(blocks.outs, out_padded_ - first_out),
                  bias_.as<float>(),
                  activation_,
                  reinterpret_cast<float*>(scratch),
                  y,
                  out_channels()});
  });
  if (failed.load()) return Status(Code::kMemory, "no memory for the accumulators of a run");
  return cancel && cancel->load(std::memory_order_relaxed) ? Status(Code::kAborted, "the run was aborted") : Status();
}

Status MapmmPlan::run_tiles(const TilesView& tiles, int slots, const float* x, float* y, const std::atomic<bool>* cancel) const {
  const int64_t pitch = kernel_->depthwise ? out_padded_ : in_, outputs = tiles.height * tiles.width;
  const int64_t window_floats = tiles.window_height * tiles.window_width * pitch;
  // Some tiles at a time fill the registers' rows; but some blocks for every thread.
  const int64_t most = std::clamp<int64_t>(kWindowFloats / window_floats, 1, kernel_->depthwise ? 1 : kMostTiles);
  const int64_t count = std::clamp<int64_t>(tiles.tiles / (4 * slots), 1, most);
  const int64_t acc_floats = kernel_->depthwise ? 0 : count * outputs * 2 * kernel_->lanes;
  const size_t floats = static_cast<size_t>(round_up(count * window_floats, 16) + acc_floats);
  std::atomic<bool> failed{false};
  parallel_for(ceil_div(tiles.tiles, count), slots, [&](int64_t task, int) {
    if (cancel && cancel->load(std::memory_order_relaxed)) return;
    auto* scratch = static_cast<float*>(thread_scratch(floats * 4 + static_cast<size_t>(groups_ + 2 * count * outputs) * 8));
    if (scratch == nullptr) {
      failed.store(true);
      return;
    }
    const int64_t first = task * count;
    auto* deltas = reinterpret_cast<int64_t*>(scratch + floats);
    auto** inputs = reinterpret_cast<const float**>(deltas + groups_);
    kernel_->run_tiles({&tiles, groups_, first, std::min(count, tiles.tiles - first), x, in_channels(), weight_.as<float>(),
                        bias_.as<float>(), in_, out_, out_padded_, activation_, scratch, scratch + round_up(count * window_floats, 16),
                        deltas, inputs, const_cast<float**>(inputs + count * outputs), y});
  });
  if (failed.load()) return Status(Code::kMemory, "no memory for the windows of a run");
  return cancel && cancel->load(std::memory_order_relaxed) ? Status(Code::kAborted, "the run was aborted") : Status();
}

std::vector<KernelRow> mapmm_kernels() {
  std::vector<KernelRow> rows;
  for (const auto& [kernel, isa] : kRows)
    rows.push_back(
        {kernel->name, "mapmm", "float32", kernel->depthwise ? "depthwise" : "dense", isa_name(isa), kernel->lanes, isa_supported(isa)});
  return rows;
}

}  // namespace sk

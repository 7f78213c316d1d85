// A run of a plan: x is cut into strips of tokens and packed, then (row block, strip) tasks go to the thread pool.
#include <algorithm>

#include "../core/parallel.h"
#include "spmm.h"

namespace sk {
namespace {

// Largest packed copy of x that run() makes at a time. Longer runs go in batches; each streams the weight from memory once.
constexpr int64_t kBatchFloats = 2 << 20;

const void* at(const void* data, DType type, int64_t element) {
  if (data == nullptr) return nullptr;
  return static_cast<const char*>(data) + element * static_cast<int64_t>(size_of(type));
}
void* at(void* data, DType type, int64_t element) { return static_cast<char*>(data) + element * static_cast<int64_t>(size_of(type)); }

}  // namespace

// Panels of full width, then one of 4 and one of 2 vectors where they can be filled, then few(). It does half the multiply-adds a cycle,
// but for two calls' worth of tokens a panel of two vectors, mostly empty, does worse.
void SpmmPlan::cut(int64_t tokens, int64_t most_floats, SpmmInput* input) const {
  const SpmmKernel& kernel = *kernel_;
  const int64_t width = static_cast<int64_t>(weight_->panel_vectors) * kernel.lanes;
  const int64_t few = 2 * kernel.few_tokens;
  input->strips.clear();
  int64_t first = 0, x = 0;
  while (first < tokens && (input->strips.empty() || most_floats - x >= width * weight_->in_padded)) {
    const int64_t left = tokens - first;
    SpmmInput::Strip strip = {first, 0, 0, x, x};
    if (kernel.many == nullptr) {
      strip.tokens = std::min<int64_t>(left, kernel.few_tokens);
    } else if (left <= few) {
      strip.tokens = left > kernel.few_tokens ? ceil_div(left, 2) : left;
    } else {
      const int64_t vectors = ceil_div(left, kernel.lanes);
      const int narrow = vectors >= 4 ? 4 : vectors >= 2 || kernel.few != nullptr ? 2 : 1;
      strip.vectors = vectors >= weight_->panel_vectors ? weight_->panel_vectors : narrow;
      strip.tokens = std::min<int64_t>(left, strip.vectors * kernel.lanes);
    }
    const int64_t columns = strip.vectors ? strip.vectors * kernel.lanes : strip.tokens;
    if (kernel.quantise && group_) {
      x += columns * weight_->in_padded / 16 * static_cast<int64_t>(sizeof(Int8Unit) / 4);
    } else if (kernel.quantise) {
      strip.x += round_up(columns, 16);
      x = strip.x +
          round_up(columns * (strip.vectors ? kernel.quantise->panel_bytes * weight_->in_padded : weight_->in_padded + kInt8RowPad), 64) /
              4;
    } else {
      x += columns * weight_->in_padded;
    }
    x = round_up(x, 16);  // what comes next, a strip or the accumulators, begins a line
    first += strip.tokens;
    input->strips.push_back(strip);
  }
  input->tokens = first;
  input->floats = x;
}

void SpmmPlan::pack_strips(const void* x, DType x_type, const SpmmInput& input, int slots, float* packed_x) const {
  const SpmmQuantise* quantise = kernel_->quantise;
  const int type = static_cast<int>(x_type);
  if (quantise && group_) {
    return parallel_for(static_cast<int64_t>(input.strips.size()), slots, [&](int64_t task, int) {
      const SpmmInput::Strip& strip = input.strips[static_cast<size_t>(task)];
      quantise->units[type](at(x, x_type, strip.first * weight_->in), strip.tokens, weight_->in, weight_->in_padded, group_,
                            quantise->add_128, reinterpret_cast<Int8Unit*>(packed_x + strip.x));
    });
  }
  if (quantise) {
    parallel_for(static_cast<int64_t>(input.strips.size()), slots, [&](int64_t task, int) {
      const SpmmInput::Strip& strip = input.strips[static_cast<size_t>(task)];
      float* scale = packed_x + strip.scale;
      quantise->measure[type](at(x, x_type, strip.first * weight_->in), strip.tokens, weight_->in, scale);
      std::fill(scale + strip.tokens, packed_x + strip.x, 0.0f);  // of missing tokens
    });
  }
  const int64_t k_blocks = ceil_div(weight_->in_padded, weight_->k_block);
  const int64_t tasks = std::min<int64_t>(k_blocks, 2 * slots);  // of each strip
  parallel_for(static_cast<int64_t>(input.strips.size()) * tasks, slots, [&](int64_t task, int) {
    const SpmmInput::Strip& strip = input.strips[static_cast<size_t>(task / tasks)];
    const void* from = at(x, x_type, strip.first * weight_->in);
    float* to = packed_x + strip.x;
    const float* scale = packed_x + strip.scale;
    const int64_t part = task % tasks;
    if (strip.vectors) {
      const int64_t k0 = k_blocks * part / tasks * weight_->k_block;
      const int64_t k1 = std::min(k_blocks * (part + 1) / tasks * weight_->k_block, weight_->in_padded);
      if (quantise)
        quantise->pack[type](from, scale, strip.tokens, weight_->in, k0, k1, strip.vectors, reinterpret_cast<int16_t*>(to));
      else
        moves_->pack[type](from, strip.tokens, weight_->in, k0, k1, strip.vectors, to);
    } else if (part == 0) {
      if (quantise)
        quantise->rows[type](from, scale, strip.tokens, weight_->in, weight_->in_padded, reinterpret_cast<int8_t*>(to));
      else
        moves_->widen[type](from, strip.tokens, weight_->in, weight_->in_padded, to);
    }
  });
}

Status SpmmPlan::multiply_strips(const SpmmInput& input, const float* packed_x, int slots, float* accumulators, void* y, DType y_type,
                                 const std::atomic<bool>* cancel, const void* residual) const {
  const SpmmKernel& kernel = *kernel_;
  const int64_t acc = accumulator_floats();
  const auto cancelled = [cancel] { return cancel && cancel->load(std::memory_order_relaxed); };
  const int64_t count = static_cast<int64_t>(input.strips.size());
  parallel_for(ceil_div(weight_->out_padded, weight_->row_block) * count, slots, [&](int64_t task, int slot) {
    if (cancelled()) return;
    const SpmmInput::Strip& strip = input.strips[static_cast<size_t>(task % count)];  // innermost: they share a row block's weights in L3
    const int64_t row = task / count * weight_->row_block;
    const int64_t rows = std::min(weight_->row_block, weight_->out_padded - row);
    const SpmmTile tile = {weight_, row, rows, packed_x + strip.x, packed_x + strip.scale, strip.tokens, accumulators + slot * acc};
    const int64_t first = strip.first * weight_->out;
    const SpmmEpilogue epilogue = {scale_.as<float>(), bias_.as<float>(),           activation_,
                                   rows_.gated,        at(residual, y_type, first), at(y, y_type, first)};
    if (strip.vectors) {
      kernel.many(tile, strip.vectors);
      moves_->finish_many[static_cast<int>(y_type)](tile, strip.vectors, epilogue);
    } else {
      kernel.few(tile);
      moves_->finish_few[static_cast<int>(y_type)](tile, epilogue);
    }
  });
  return cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

// set_threads() may be called meanwhile.
int SpmmPlan::run_threads() const { return std::min(threads_, ThreadPool::instance().threads()); }

// Of one thread.
int64_t SpmmPlan::accumulator_floats() const { return weight_->row_block * weight_->panel_vectors * kernel_->lanes; }

SpmmInput SpmmPlan::input(int64_t tokens) const {
  SpmmInput input;
  cut(tokens, INT64_MAX, &input);
  return input;
}

Status SpmmPlan::pack(const void* x, DType x_type, SpmmInput* input) const {
  if (!input->x.reserve(static_cast<size_t>(input->floats) * sizeof(float)))
    return Status(Code::kMemory, "no memory for the packed x of an asynchronous run");
  pack_strips(x, x_type, *input, run_threads(), input->x.as<float>());
  return Status();
}

Status SpmmPlan::multiply(const SpmmInput& input, void* y, DType y_type, const std::atomic<bool>* cancel, const void* residual) const {
  const int slots = run_threads();
  void* scratch = thread_scratch(static_cast<size_t>(slots * accumulator_floats()) * sizeof(float));
  if (scratch == nullptr) return Status(Code::kMemory, "no memory for the workspace of a run");
  return multiply_strips(input, input.x.as<float>(), slots, static_cast<float*>(scratch), y, y_type, cancel, residual);
}

Status SpmmPlan::run(const void* x, DType x_type, int64_t tokens, void* y, DType y_type, const std::atomic<bool>* cancel,
                     const void* residual) const {
  const int slots = run_threads();
  SpmmInput input;
  for (int64_t first = 0; first < tokens; first += input.tokens) {
    cut(tokens - first, kBatchFloats, &input);
    auto* scratch = static_cast<float*>(thread_scratch(static_cast<size_t>(input.floats + slots * accumulator_floats()) * sizeof(float)));
    if (scratch == nullptr) return Status(Code::kMemory, "no memory for the workspace of a run");
    pack_strips(at(x, x_type, first * weight_->in), x_type, input, slots, scratch);
    const int64_t done = first * weight_->out;
    const Status status =
        multiply_strips(input, scratch, slots, scratch + input.floats, at(y, y_type, done), y_type, cancel, at(residual, y_type, done));
    if (!status.ok()) return status;
  }
  return Status();
}

}  // namespace sk

#include "spmm.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "../core/parallel.h"
#include "pack.h"

namespace sk {

#define SK_SPMM_AVX512(row, n, m) extern const SpmmKernel spmm_##row##_avx512;
#define SK_SPMM_AVX2(row, n, m) extern const SpmmKernel spmm_##row##_avx2;
#define SK_SPMM_SCALAR(row, n, m) extern const SpmmKernel spmm_##row##_scalar;
#define SK_SPMM_SCALAR16(row, n, m) extern const SpmmKernel spmm_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const SpmmKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_SPMM_AVX512(row, n, m) {&spmm_##row##_avx512, Isa::kAvx512},
#define SK_SPMM_AVX2(row, n, m) {&spmm_##row##_avx2, Isa::kAvx2},
#define SK_SPMM_SCALAR(row, n, m) {&spmm_##row##_scalar, Isa::kScalar},
#define SK_SPMM_SCALAR16(row, n, m) {&spmm_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

// Largest packed copy of x that run() makes at a time. Longer runs go in batches; each streams the weight from memory once.
constexpr int64_t kBatchFloats = 2 << 20;

void copy_rows(const float* x, int64_t tokens, int64_t in, int64_t in_padded, float* to) {
  for (int64_t t = 0; t < tokens; ++t, x += in, to += in_padded) {
    std::memcpy(to, x, static_cast<size_t>(in) * sizeof(float));
    std::memset(to + in, 0, static_cast<size_t>(in_padded - in) * sizeof(float));
  }
}

// Row blocks: long enough that loading a panel of x is repaid, short enough that the accumulators of a block (rows * 256 bytes) stay in
// L2, and enough of them that every thread gets several tasks.
int64_t choose_row_block(int64_t panel, int lanes, int64_t out, int64_t tokens, int threads) {
  const int64_t strips = std::clamp<int64_t>(tokens / panel, 1, 1024);
  const int64_t wanted = ceil_div(out * strips, 4 * static_cast<int64_t>(threads));
  return round_up(std::clamp<int64_t>(wanted, 64, 256), lanes);
}

}  // namespace

Status SpmmPlan::create(const SpmmOptions& options, std::shared_ptr<const SpmmPlan>* result) {
  const int m = options.m, n = options.n;
  if ((m != 4 && m != 8 && m != 16 && m != 32) || n < 1 || n >= m)
    return Status(Code::kPattern, "expected a pattern N:M with M of 4, 8, 16 or 32 and 1 <= N < M but received " + std::to_string(n) + ":" +
                                      std::to_string(m));
  if (options.weight.rows < 1 || options.weight.columns < 1)
    return Status(Code::kShape, "expected a weight [out, in] with at least one row and column");
  std::shared_ptr<SpmmPlan> plan(new SpmmPlan);
  const auto fits = [m, n](const Row& row) { return row.kernel->m == m && (row.kernel->n == 0 || row.kernel->n == n); };
  const Row* row;
  if (Status status = choose_kernel(kRows, options.isa, fits, &row); !status.ok()) return status;
  const SpmmKernel& kernel = *(plan->kernel_ = row->kernel);

  const int pool = ThreadPool::instance().threads();
  plan->threads_ = options.threads > 0 ? options.threads : 1024;
  plan->activation_ = options.activation;
  PackedNm& packed = plan->packed_;
  const int vectors = nm_panel_vectors(n, m, kernel.panel_vectors);
  const int64_t row_block =
      choose_row_block(vectors * kernel.lanes, kernel.lanes, options.weight.rows, options.tokens, std::min(plan->threads_, pool));
  nm_layout(n, m, kernel.lanes, vectors, options.weight.rows, options.weight.columns, row_block, &packed);
  int64_t kept;
  if (!nm_kept(packed, &kept)) return Status(Code::kMemory, "the packed weight does not fit in memory");
  const int64_t words = kept / (32 / nm_field_bits(m));
  const size_t bias_bytes = static_cast<size_t>(packed.out_padded) * sizeof(float);
  if (!plan->values_.reserve(static_cast<size_t>(kept) * 4) || !plan->fields_.reserve(static_cast<size_t>(words) * 4) ||
      !plan->bias_.reserve(bias_bytes))
    return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(kept * 4 + words * 4) + " bytes");
  plan->bytes_ = static_cast<size_t>(kept + words) * 4 + bias_bytes;

  packed.values = plan->values_.as<float>();
  packed.fields = plan->fields_.as<uint32_t>();
  std::memset(plan->bias_.as<float>(), 0, bias_bytes);
  if (options.bias) std::memcpy(plan->bias_.as<float>(), options.bias, static_cast<size_t>(packed.out) * sizeof(float));
  if (Status status = nm_pack(options.weight, packed, plan->values_.as<float>(), plan->fields_.as<uint32_t>()); !status.ok()) return status;
  *result = std::move(plan);
  return Status();
}

// Panels of full width and a tail. Up to two calls' worth of tokens in the tail go to few(): it does half the multiply-adds a cycle, but a
// panel of two vectors mostly empty does worse.
void SpmmPlan::cut(int64_t tokens, int64_t most_floats, SpmmInput* input) const {
  const SpmmKernel& kernel = *kernel_;
  const int64_t width = static_cast<int64_t>(packed_.panel_vectors) * kernel.lanes;
  const int64_t few = 2 * kernel.few_tokens;
  input->strips.clear();
  int64_t first = 0, x = 0;
  while (first < tokens && (input->strips.empty() || most_floats - x >= width * packed_.in_padded)) {
    const int64_t left = tokens - first;
    SpmmInput::Strip strip = {first, std::min(left, width), 0, x};
    if (left <= few)
      strip.tokens = left > kernel.few_tokens ? ceil_div(left, 2) : left;
    else
      strip.vectors = static_cast<int>(std::max<int64_t>(2, ceil_div(strip.tokens, kernel.lanes)));
    x += (strip.vectors ? strip.vectors * kernel.lanes : strip.tokens) * packed_.in_padded;
    first += strip.tokens;
    input->strips.push_back(strip);
  }
  input->tokens = first;
  input->floats = x;
}

void SpmmPlan::pack_strips(const float* x, const SpmmInput& input, int slots, float* packed_x) const {
  const int64_t k_blocks = ceil_div(packed_.in_padded, packed_.k_block);
  const int64_t tasks = std::min<int64_t>(k_blocks, 2 * slots);  // of each strip
  parallel_for(static_cast<int64_t>(input.strips.size()) * tasks, slots, [&](int64_t task, int) {
    const SpmmInput::Strip& strip = input.strips[static_cast<size_t>(task / tasks)];
    const float* from = x + strip.first * packed_.in;
    float* to = packed_x + strip.x;
    const int64_t part = task % tasks;
    if (strip.vectors) {
      const int64_t k0 = k_blocks * part / tasks * packed_.k_block;
      const int64_t k1 = std::min(k_blocks * (part + 1) / tasks * packed_.k_block, packed_.in_padded);
      kernel_->pack(from, strip.tokens, packed_.in, k0, k1, strip.vectors, to);
    } else if (part == 0) {
      copy_rows(from, strip.tokens, packed_.in, packed_.in_padded, to);
    }
  });
}

Status SpmmPlan::multiply_strips(const SpmmInput& input, const float* packed_x, int slots, float* accumulators, float* y,
                                 const std::atomic<bool>* cancel) const {
  const SpmmKernel& kernel = *kernel_;
  const int64_t acc = accumulator_floats();
  const auto cancelled = [cancel] { return cancel && cancel->load(std::memory_order_relaxed); };
  const int64_t count = static_cast<int64_t>(input.strips.size());
  parallel_for(ceil_div(packed_.out_padded, packed_.row_block) * count, slots, [&](int64_t task, int slot) {
    if (cancelled()) return;
    const SpmmInput::Strip& strip = input.strips[static_cast<size_t>(task % count)];  // innermost: they share a row block's weights in L3
    const int64_t row = task / count * packed_.row_block;
    const SpmmTile tile = {&packed_,
                           bias_.as<float>(),
                           activation_,
                           row,
                           std::min(packed_.row_block, packed_.out_padded - row),
                           packed_x + strip.x,
                           strip.tokens,
                           y + strip.first * packed_.out,
                           accumulators + slot * acc};
    if (strip.vectors)
      kernel.many(tile, strip.vectors);
    else
      kernel.few(tile);
  });
  return cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

// Of a run that starts now; set_threads() may be called meanwhile.
int SpmmPlan::run_threads() const { return std::min(threads_, ThreadPool::instance().threads()); }

// Of one thread.
int64_t SpmmPlan::accumulator_floats() const { return packed_.row_block * packed_.panel_vectors * kernel_->lanes; }

SpmmInput SpmmPlan::input(int64_t tokens) const {
  SpmmInput input;
  cut(tokens, INT64_MAX, &input);
  return input;
}

Status SpmmPlan::pack(const float* x, SpmmInput* input) const {
  if (!input->x.reserve(static_cast<size_t>(input->floats) * sizeof(float)))
    return Status(Code::kMemory, "no memory for the packed x of an asynchronous run");
  pack_strips(x, *input, run_threads(), input->x.as<float>());
  return Status();
}

Status SpmmPlan::multiply(const SpmmInput& input, float* y, const std::atomic<bool>* cancel) const {
  const int slots = run_threads();
  void* scratch = thread_scratch(static_cast<size_t>(slots * accumulator_floats()) * sizeof(float));
  if (scratch == nullptr) return Status(Code::kMemory, "no memory for the workspace of a run");
  return multiply_strips(input, input.x.as<float>(), slots, static_cast<float*>(scratch), y, cancel);
}

Status SpmmPlan::run(const float* x, int64_t tokens, float* y, const std::atomic<bool>* cancel) const {
  const int slots = run_threads();
  SpmmInput input;
  for (int64_t first = 0; first < tokens; first += input.tokens) {
    cut(tokens - first, kBatchFloats, &input);
    auto* scratch = static_cast<float*>(thread_scratch(static_cast<size_t>(input.floats + slots * accumulator_floats()) * sizeof(float)));
    if (scratch == nullptr) return Status(Code::kMemory, "no memory for the workspace of a run");
    pack_strips(x + first * packed_.in, input, slots, scratch);
    const Status status = multiply_strips(input, scratch, slots, scratch + input.floats, y + first * packed_.out, cancel);
    if (!status.ok()) return status;
  }
  return Status();
}

void SpmmPlan::to_dense(float* dense) const { nm_unpack(packed_, dense); }

std::vector<KernelRow> spmm_kernels() {
  std::vector<KernelRow> rows;
  for (const auto& [kernel, isa] : kRows) {
    const std::string pattern = (kernel->n == 0 ? "N" : std::to_string(kernel->n)) + ":" + std::to_string(kernel->m);
    rows.push_back({kernel->name, "spmm", "float32", pattern, isa_name(isa), kernel->lanes, isa_supported(isa)});
  }
  return rows;
}

}  // namespace sk

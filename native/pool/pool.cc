#include "pool.h"

#include <algorithm>
#include <cmath>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "kernel.h"

namespace sk {

#define SK_POOL_AVX512(row) extern const PoolKernel pool_##row##_avx512;
#define SK_POOL_AVX2(row) extern const PoolKernel pool_##row##_avx2;
#define SK_POOL_SCALAR(row) extern const PoolKernel pool_##row##_scalar;
#define SK_POOL_SCALAR16(row) extern const PoolKernel pool_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const PoolKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_POOL_AVX512(row) {&pool_##row##_avx512, Isa::kAvx512},
#define SK_POOL_AVX2(row) {&pool_##row##_avx2, Isa::kAvx2},
#define SK_POOL_SCALAR(row) {&pool_##row##_scalar, Isa::kScalar},
#define SK_POOL_SCALAR16(row) {&pool_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

// Weights of the window's tokens: softmax of their logits.
void softmax(const float* logit, int64_t n, float* weight) {
  const float most = *std::max_element(logit, logit + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(weight[i] = std::exp(logit[i] - most));
  for (int64_t i = 0; i < n; ++i) weight[i] = static_cast<float>(static_cast<double>(weight[i]) / sum);
}

// 1 / norm of each token; 0 for a zero vector.
void inverse_norms(const float* x, int64_t stride, int64_t tokens, int64_t dim, float* weight) {
  for (int64_t t = 0; t < tokens; ++t, x += stride) {
    double squares = 0;
    for (int64_t c = 0; c < dim; ++c) squares += static_cast<double>(x[c]) * static_cast<double>(x[c]);
    weight[t] = squares > 0 ? static_cast<float>(1 / std::sqrt(squares)) : 0;
  }
}

// scratch: room for the window's tokens and one row.
void pool_window(const PoolOptions& o, const PoolKernel& kernel, const float* x, const float* logit, int64_t tokens, float* scratch,
                 float* out) {
  const int64_t stride = o.token_stride, dim = o.dim;
  const float share = 1 / static_cast<float>(tokens);
  switch (o.kind) {
    case PoolKind::kMean: return kernel.sum(x, stride, tokens, dim, nullptr, share, out);
    case PoolKind::kSum: return kernel.sum(x, stride, tokens, dim, nullptr, 1, out);
    case PoolKind::kMax: return kernel.extremes(x, stride, tokens, dim, nullptr, out);
    case PoolKind::kMin: return kernel.extremes(x, stride, tokens, dim, out, nullptr);
    case PoolKind::kMinMax: return kernel.extremes(x, stride, tokens, dim, out, out + dim);
    case PoolKind::kWeighted: softmax(logit, tokens, scratch); return kernel.sum(x, stride, tokens, dim, scratch, 1, out);
    case PoolKind::kSimilarity:
      inverse_norms(x, stride, tokens, dim, scratch);
      kernel.sum(x, stride, tokens, dim, scratch, share, scratch + tokens);
      *out = 0;
      for (int64_t c = 0; c < dim; ++c) *out += scratch[tokens + c] * scratch[tokens + c];
  }
}

}  // namespace

int64_t pool_width(PoolKind kind, int64_t dim) {
  if (kind == PoolKind::kSimilarity) return 1;
  return kind == PoolKind::kMinMax ? 2 * dim : dim;
}

Status pool(const PoolOptions& o) {
  const Row* row;
  if (Status status = choose_kernel(kRows, o.isa, [](const Row&) { return true; }, &row); !status.ok()) return status;
  int64_t longest = 0;
  for (int64_t p = 0; p < o.windows; ++p) {
    if (o.start[p] < 0 || o.count[p] < 0 || static_cast<int64_t>(o.start[p]) + o.count[p] > o.tokens)
      return Status(Code::kShape, "expected windows inside the " + std::to_string(o.tokens) + " tokens but window " + std::to_string(p) +
                                      " has start " + std::to_string(o.start[p]) + " and count " + std::to_string(o.count[p]));
    longest = std::max<int64_t>(longest, o.count[p]);
  }
  const int64_t width = pool_width(o.kind, o.dim), sequences = o.batch * o.heads;
  const int64_t batch = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, longest * o.dim));  // windows of one task
  const int64_t tasks = ceil_div(o.windows, batch);
  std::atomic<bool> no_memory{false};
  const auto stopped = [&] { return no_memory.load() || (o.cancel != nullptr && o.cancel->load(std::memory_order_relaxed)); };
  parallel_for(sequences * tasks, o.threads, [&](int64_t task, int) {
    if (stopped()) return;
    auto* scratch = static_cast<float*>(thread_scratch(static_cast<size_t>(longest + o.dim + 1) * sizeof(float)));
    if (scratch == nullptr) return no_memory.store(true);
    const int64_t s = task / tasks, first = task % tasks * batch;
    const float* x = o.x + s / o.heads * o.batch_stride + s % o.heads * o.head_stride;
    for (int64_t p = first; p < std::min(first + batch, o.windows); ++p) {
      float* out = o.out + (s * o.windows + p) * width;
      if (o.count[p] == 0)
        std::fill_n(out, width, 0.0F);
      else
        pool_window(o, *row->kernel, x + o.start[p] * o.token_stride, o.logit == nullptr ? nullptr : o.logit + s * o.tokens + o.start[p],
                    o.count[p], scratch, out);
    }
  });
  if (no_memory.load()) return Status(Code::kMemory, "no memory for the scratch of a pooling");
  return stopped() ? Status(Code::kAborted, "the run was aborted") : Status();
}

std::vector<KernelRow> pool_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows)
    rows.push_back({row.kernel->name, "pool", "float32", "any", isa_name(row.isa), row.kernel->lanes, isa_supported(row.isa)});
  return rows;
}

}  // namespace sk

#include "sddmm.h"

#include <algorithm>
#include <cstring>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "kernel.h"

namespace sk {

#define SK_SDDMM_AVX512(row) extern const SddmmKernel sddmm_##row##_avx512;
#define SK_SDDMM_AVX2(row) extern const SddmmKernel sddmm_##row##_avx2;
#define SK_SDDMM_SCALAR(row) extern const SddmmKernel sddmm_##row##_scalar;
#define SK_SDDMM_SCALAR16(row) extern const SddmmKernel sddmm_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const SddmmKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_SDDMM_AVX512(row) {&sddmm_##row##_avx512, Isa::kAvx512},
#define SK_SDDMM_AVX2(row) {&sddmm_##row##_avx2, Isa::kAvx2},
#define SK_SDDMM_SCALAR(row) {&sddmm_##row##_scalar, Isa::kScalar},
#define SK_SDDMM_SCALAR16(row) {&sddmm_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

constexpr int64_t kTaskRows = 16;      // of d
constexpr int64_t kTaskColumns = 256;  // to be transposed: in blocks that stay in L1

// Columns [first, end) of the tokens of one block [tokens, columns] -> rows [columns][kSddmmTokens], zeros for tokens that are missing.
void transpose(const float* from, int64_t tokens, int64_t columns, int64_t first, int64_t end, float* to) {
  for (int64_t c = first; c < end; ++c) {
    float* row = to + c * kSddmmTokens;
    for (int64_t t = 0; t < tokens; ++t) row[t] = from[t * columns + c];
    std::fill(row + tokens, row + kSddmmTokens, 0.0f);
  }
}

// The kept columns of a row, padded with column 0 to a multiple of lanes.
int64_t kept_columns(const uint8_t* mask, int64_t in, int lanes, int32_t* indices) {
  int64_t count = 0;
  for (int64_t i = 0; i < in; ++i)
    if (mask[i]) indices[count++] = static_cast<int32_t>(i);
  const int64_t kept = count;
  while (count % lanes != 0) indices[count++] = 0;
  return kept;
}

}  // namespace

Status sddmm(const SddmmOptions& o, const std::atomic<bool>* cancel) {
  const Row* row = nullptr;
  if (Status status = choose_kernel(kRows, o.isa, [](const Row&) { return true; }, &row); !status.ok()) return status;
  const SddmmKernel& kernel = *row->kernel;
  const auto cancelled = [cancel] { return cancel && cancel->load(std::memory_order_relaxed); };
  const int threads = o.threads > 0 ? o.threads : 1024, slots = std::min(threads, ThreadPool::instance().threads());
  const int64_t most = round_up(o.in, kernel.lanes);
  AlignedBuffer rows_of_a, rows_of_b, scratch;
  if (!rows_of_a.reserve(static_cast<size_t>(o.out) * kSddmmTokens * 4) ||
      !rows_of_b.reserve(static_cast<size_t>(o.in) * kSddmmTokens * 4) || !scratch.reserve(static_cast<size_t>(slots * most) * 8))
    return Status(Code::kMemory, "no memory for the panels of a value gradient");
  std::memset(o.d, 0, static_cast<size_t>(o.out * o.in) * sizeof(float));
  for (int64_t first = 0; first < o.tokens && !cancelled(); first += kSddmmTokens) {
    const int64_t tokens = std::min<int64_t>(kSddmmTokens, o.tokens - first);
    const auto transpose_all = [&](const float* from, int64_t columns, float* to) {
      parallel_for(ceil_div(columns, kTaskColumns), threads, [&](int64_t task, int) {
        transpose(from + first * columns, tokens, columns, task * kTaskColumns, std::min(columns, (task + 1) * kTaskColumns), to);
      });
    };
    transpose_all(o.a, o.out, rows_of_a.as<float>());
    transpose_all(o.b, o.in, rows_of_b.as<float>());
    parallel_for(ceil_div(o.out, kTaskRows), slots, [&](int64_t task, int slot) {
      if (cancelled()) return;
      float* sums = scratch.as<float>() + slot * most * 2;
      auto* indices = reinterpret_cast<int32_t*>(sums + most);
      for (int64_t r = task * kTaskRows; r < std::min(o.out, (task + 1) * kTaskRows); ++r) {
        float* d = o.d + r * o.in;
        const int64_t kept = kept_columns(o.mask + r * o.in, o.in, kernel.lanes, indices), padded = round_up(kept, kernel.lanes);
        for (int64_t j = 0; j < padded; ++j) sums[j] = j < kept ? d[indices[j]] : 0;
        kernel.dots(rows_of_a.as<float>() + r * kSddmmTokens, rows_of_b.as<float>(), indices, padded, sums);
        for (int64_t j = 0; j < kept; ++j) d[indices[j]] = sums[j];
      }
    });
  }
  return cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

std::vector<KernelRow> sddmm_kernels() {
  std::vector<KernelRow> rows;
  for (const auto& [kernel, isa] : kRows)
    rows.push_back({kernel->name, "sddmm", "float32", "masked", isa_name(isa), kernel->lanes, isa_supported(isa)});
  return rows;
}

}  // namespace sk

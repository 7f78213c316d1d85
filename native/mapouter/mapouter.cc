#include "mapouter.h"

#include <algorithm>
#include <cstring>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "kernel.h"

namespace sk {

#define SK_MAPOUTER_AVX512(row) extern const MapouterKernel mapouter_##row##_avx512;
#define SK_MAPOUTER_AVX2(row) extern const MapouterKernel mapouter_##row##_avx2;
#define SK_MAPOUTER_SCALAR(row) extern const MapouterKernel mapouter_##row##_scalar;
#define SK_MAPOUTER_SCALAR16(row) extern const MapouterKernel mapouter_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const MapouterKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_MAPOUTER_AVX512(row) {&mapouter_##row##_avx512, Isa::kAvx512},
#define SK_MAPOUTER_AVX2(row) {&mapouter_##row##_avx2, Isa::kAvx2},
#define SK_MAPOUTER_SCALAR(row) {&mapouter_##row##_scalar, Isa::kScalar},
#define SK_MAPOUTER_SCALAR16(row) {&mapouter_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

constexpr int64_t kPairs = 128;                          // of a block: its panels stay in L2, those of one tile in L1
constexpr int64_t kMostInputs = 96, kMostOutputs = 128;  // of a task: multiples of the tile

// Columns [first, first + count) of some rows, one row after another, padded with zeros to `width`.
void gather(const float* from, int64_t stride, const int32_t* rows, int64_t pairs, int64_t first, int64_t count, int64_t width, float* to) {
  for (int64_t p = 0; p < pairs; ++p, to += width) {
    std::copy_n(from + rows[p] * stride + first, count, to);
    std::fill(to + count, to + width, 0.0f);
  }
}

}  // namespace

Status map_outer(const PairsView& pairs, const MapouterOptions& o, const std::atomic<bool>* cancel) {
  const Row* row;
  if (Status status = choose_kernel(kRows, o.isa, [](const Row&) { return true; }, &row); !status.ok()) return status;
  const MapouterKernel& kernel = *row->kernel;
  const int64_t ins = std::min(round_up(o.in, 6), kMostInputs), outs = std::min(round_up(o.out, 2 * kernel.lanes), kMostOutputs);
  const int64_t in_blocks = ceil_div(o.in, ins), out_blocks = ceil_div(o.out, outs);
  std::atomic<bool> failed{false};
  parallel_for(pairs.groups * o.splits * in_blocks * out_blocks, 1024, [&](int64_t task, int) {
    if (cancel && cancel->load(std::memory_order_relaxed)) return;
    auto* acc = static_cast<float*>(thread_scratch(static_cast<size_t>(ins * outs + kPairs * (ins + outs)) * 4));
    if (acc == nullptr) {
      failed.store(true);
      return;
    }
    float *dy = acc + ins * outs, *x = dy + kPairs * outs;
    const int64_t g = task / (o.splits * in_blocks * out_blocks), split = task / (in_blocks * out_blocks) % o.splits;
    const int64_t first_in = task / out_blocks % in_blocks * ins, first_out = task % out_blocks * outs;
    const int64_t in = std::min(ins, o.in - first_in), out = std::min(outs, o.out - first_out);
    std::fill_n(acc, ins * outs, 0.0f);
    for (int64_t p = pairs.starts[g]; p < pairs.starts[g + 1]; p += kPairs) {
      const int64_t count = std::min(kPairs, pairs.starts[g + 1] - p);
      gather(o.x, o.splits * o.in, pairs.in + p, count, split * o.in + first_in, in, ins, x);
      gather(o.dy, o.splits * o.out, pairs.out + p, count, split * o.out + first_out, out, outs, dy);
      kernel.run({count, x, dy, ins, outs, acc});
    }
    for (int64_t c = 0; c < out; ++c) {
      float* dw = o.dw + ((split * o.out + first_out + c) * pairs.groups + g) * o.in + first_in;
      for (int64_t i = 0; i < in; ++i) dw[i] = acc[i * outs + c];
    }
  });
  if (failed.load()) return Status(Code::kMemory, "no memory for the panels of a weight gradient");
  return cancel && cancel->load(std::memory_order_relaxed) ? Status(Code::kAborted, "the run was aborted") : Status();
}

std::vector<KernelRow> mapouter_kernels() {
  std::vector<KernelRow> rows;
  for (const auto& [kernel, isa] : kRows)
    rows.push_back({kernel->name, "mapouter", "float32", "dense", isa_name(isa), kernel->lanes, isa_supported(isa)});
  return rows;
}

}  // namespace sk

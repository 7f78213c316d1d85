#include "planes.h"

#include <algorithm>
#include <cstring>

#include "../core/parallel.h"

namespace sk {

#define SK_PLANES_AVX512(row, block) extern const PlanesKernel planes_##row##_avx512;
#define SK_PLANES_AVX2(row, block) extern const PlanesKernel planes_##row##_avx2;
#define SK_PLANES_SCALAR(row, block) extern const PlanesKernel planes_##row##_scalar;
#define SK_PLANES_SCALAR16(row, block) extern const PlanesKernel planes_##row##_scalar16;
#include "kernels.def"

namespace {

struct Row {
  const PlanesKernel* kernel;
  Isa isa;
};

const Row kRows[] = {
#define SK_PLANES_AVX512(row, block) {&planes_##row##_avx512, Isa::kAvx512},
#define SK_PLANES_AVX2(row, block) {&planes_##row##_avx2, Isa::kAvx2},
#define SK_PLANES_SCALAR(row, block) {&planes_##row##_scalar, Isa::kScalar},
#define SK_PLANES_SCALAR16(row, block) {&planes_##row##_scalar16, Isa::kScalar16},
#include "kernels.def"
};

struct Strip {
  int64_t first;  // pixel
  int vectors;
};

// Few strips, of about one width.
std::vector<Strip> cut(int64_t pixels, const PlanesKernel& kernel) {
  std::vector<Strip> strips;
  for (int64_t first = 0, left = ceil_div(pixels, kernel.lanes); left > 0; left -= strips.back().vectors) {
    strips.push_back({first * kernel.lanes, static_cast<int>(ceil_div(left, ceil_div(left, kernel.widest)))});
    first += strips.back().vectors;
  }
  return strips;
}

}  // namespace

Status PlanesPlan::create(const PlanesOptions& options, std::shared_ptr<const PlanesPlan>* result) {
  if (options.in < 1 || options.out < 1) return Status(Code::kShape, "expected a weight [out, in] with at least one row and column");
  if (options.block != 1 && options.block != 2 && options.block != 4)
    return Status(Code::kShape, "expected blocks of 1, 2 or 4 output channels but received " + std::to_string(options.block));
  std::shared_ptr<PlanesPlan> plan(new PlanesPlan);
  const Row* row;
  const auto fits = [&options](const Row& r) { return r.kernel->block == options.block; };
  if (Status status = choose_kernel(kRows, options.isa, fits, &row); !status.ok()) return status;
  plan->kernel_ = row->kernel;
  plan->activation_ = options.activation;
  plan->threads_ = options.threads > 0 ? options.threads : 1024;
  if (Status status = plan->pack(options); !status.ok()) return status;
  *result = std::move(plan);
  return Status();
}

// A task is a strip of an image and a row block. Where the strip ends beyond the image, its panel is packed here, and its outputs are
// copied from the sums.
Status PlanesPlan::run(const float* x, int64_t images, int64_t pixels, float* y, const std::atomic<bool>* cancel) const {
  const int lanes = kernel_->lanes, slots = std::min(threads_, ThreadPool::instance().threads());
  const int64_t row_blocks = ceil_div(weight_.out, weight_.row_block), k_blocks = ceil_div(weight_.in, weight_.k_block);
  const std::vector<Strip> strips = cut(pixels, *kernel_);
  const int64_t count = static_cast<int64_t>(strips.size());
  const int64_t widest = static_cast<int64_t>(kernel_->widest) * lanes;
  std::atomic<bool> failed{false};
  const auto cancelled = [cancel] { return cancel && cancel->load(std::memory_order_relaxed); };
  parallel_for(images * count * row_blocks, slots, [&](int64_t task, int) {
    if (cancelled()) return;
    const Strip& strip = strips[static_cast<size_t>(task / row_blocks % count)];
    const int64_t image = task / row_blocks / count, block = task % row_blocks, row = block * weight_.row_block;
    const int64_t rows = std::min(weight_.row_block, weight_.out - row), width = strip.vectors * lanes;
    const int64_t valid = std::min(width, pixels - strip.first);
    const bool whole = valid == width;
    auto* scratch = static_cast<float*>(thread_scratch(static_cast<size_t>((weight_.k_block + rows) * widest) * sizeof(float)));
    if (scratch == nullptr) {
      failed.store(true);
      return;
    }
    const float* from = x + image * weight_.in * pixels + strip.first;
    float* to = y + (image * weight_.out + row) * pixels + strip.first;
    float* sums = scratch + weight_.k_block * widest;
    for (int64_t k = 0; k < k_blocks; ++k) {
      const int64_t first = k * weight_.k_block, inputs = std::min(weight_.k_block, weight_.in - first);
      const float* x_block = from + first * pixels;
      for (int64_t i = 0; !whole && i < inputs; ++i) {
        std::memcpy(scratch + i * width, x_block + i * pixels, static_cast<size_t>(valid) * sizeof(float));
        std::memset(scratch + i * width + valid, 0, static_cast<size_t>(width - valid) * sizeof(float));
      }
      kernel_->run({&weight_, block, k, k == 0, k == k_blocks - 1, activation_, weight_.bias + row, x_block, pixels, whole, scratch, sums,
                    width, whole ? to : sums, whole ? pixels : width},
                   strip.vectors);
    }
    for (int64_t r = 0; !whole && r < rows; ++r) std::memcpy(to + r * pixels, sums + r * width, static_cast<size_t>(valid) * sizeof(float));
  });
  if (failed.load()) return Status(Code::kMemory, "no memory for the strips of a run");
  return cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

std::vector<KernelRow> planes_kernels() {
  std::vector<KernelRow> rows;
  for (const auto& [kernel, isa] : kRows) {
    const std::string pattern = kernel->block == 1 ? "unstructured" : std::to_string(kernel->block) + "x1";
    rows.push_back({kernel->name, "planes", "float32", pattern, isa_name(isa), kernel->lanes, isa_supported(isa)});
  }
  return rows;
}

}  // namespace sk

#include "plan.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "../../core/dtype_of.h"
#include "../../core/parallel.h"

namespace sk {

#ifdef SK_CUDA
#define SK_MAPMM_CUDA(row, type) extern const MapmmCudaKernel mapmm_##row##_cuda;
#include "../kernels.def"
#define SK_MAPMM_KERNEL(row) &mapmm_##row##_cuda
#else
#define SK_MAPMM_KERNEL(row) nullptr
#endif

namespace {

struct Row {
  const char* name;
  DType values;
  const MapmmCudaKernel* kernel;  // null: built without CUDA
};

const Row kRows[] = {
#define SK_MAPMM_CUDA(row, type) {"mapmm_" #row "_cuda", dtype_of<type>, SK_MAPMM_KERNEL(row)},
#include "../kernels.def"
};

constexpr int kPackThreads = 1024;
constexpr int64_t kStepInputs = kStepBytes / 2;

// The bits of x as `type`. False: x is finite, but too large for it.
bool narrow_bits(float x, DType type, uint16_t* bits) {
  const auto round = [&](auto narrowed) {
    narrow(x, &narrowed);
    *bits = narrowed.bits;
    return std::isfinite(widen(narrowed)) || !std::isfinite(x);
  };
  return type == DType::kFloat16 ? round(Half()) : round(BHalf());
}

}  // namespace

Status MapmmCudaPlan::create(std::shared_ptr<const CudaDevice> device, const MapmmOptions& options, DType values,
                             std::shared_ptr<const MapmmCudaPlan>* result) {
  const auto row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.kernel != nullptr && r.values == values; });
  if (row == std::end(kRows) || options.splits != 1 || options.transposed)
    return Status(Code::kIsa, "expected a dtype and kind of layer that have a kernel for device 'cuda' (kernels() lists them)");
  if (options.groups < 1 || options.in < 1 || options.out < 1)
    return Status(Code::kShape, "expected at least one group, input channel and output channel");
  std::shared_ptr<MapmmCudaPlan> plan(new MapmmCudaPlan);
  plan->device_ = std::move(device);
  plan->kernel_ = row->kernel;
  plan->values_ = values;
  plan->groups_ = options.groups;
  plan->in_ = options.in;
  plan->out_ = options.out;
  plan->steps_ = ceil_div(options.in, kStepInputs);
  plan->out_blocks_ = ceil_div(options.out, kWeightRows);
  plan->activation_ = options.activation;
  Status status = plan->pack(options);
  if (status.ok()) *result = std::move(plan);
  return status;
}

Status MapmmCudaPlan::pack(const MapmmOptions& o) {
  const int64_t tiles = groups_ * out_blocks_ * steps_;
  int64_t bytes;
  AlignedBuffer host;
  if (!checked_multiply(tiles, kWeightTileBytes, &bytes) || !host.reserve(static_cast<size_t>(bytes)))
    return Status(Code::kMemory, "no memory for the packed weight");
  std::atomic<bool> too_large{false};
  parallel_for(tiles, kPackThreads, [&](int64_t tile, int) {
    const int64_t step = tile % steps_, block = tile / steps_ % out_blocks_, group = tile / steps_ / out_blocks_;
    auto* to = host.as<uint16_t>() + tile * kWeightTileBytes / 2;
    for (int r = 0; r < kWeightRows; ++r)
      for (int c = 0; c < kStepInputs; ++c) {
        const int64_t out = block * kWeightRows + r, in = step * kStepInputs + c;
        uint16_t bits = 0;
        if (out < out_ && in < in_ && !narrow_bits(o.weight[(out * groups_ + group) * in_ + in], values_, &bits)) too_large = true;
        to[r / 2 * 64 + r % 2 * 32 + ((c / 8) ^ (r / 2 % 4)) * 8 + c % 8] = bits;
      }
  });
  if (too_large) return Status(Code::kValue, "expected weights within the range of the 16-bit type");
  std::vector<float> bias(static_cast<size_t>(out_blocks_ * kWeightRows), 0);
  if (o.bias) std::copy_n(o.bias, out_, bias.begin());
  Status status = upload_all(device_, host.as<void>(), static_cast<size_t>(bytes), &tiles_);
  return status.ok() ? upload_all(device_, bias.data(), bias.size() * 4, &bias_) : status;
}

Status MapmmCudaPlan::run(const CudaMapView& map, const CudaBuffer& x, DType x_type, const CudaBuffer& y, DType y_type) const {
  if (map.groups != groups_)
    return Status(Code::kShape, "expected a map of " + std::to_string(groups_) + " groups but received " + std::to_string(map.groups));
  if (map.out_rows == 0) return Status();
  MapmmCudaProduct product = {};
  product.tiles = tiles_.as<void>();
  product.bias = bias_.as<float>();
  product.in = in_;
  product.out = out_;
  product.out_blocks = out_blocks_;
  product.steps = steps_;
  product.map = map;
  product.x = x.as<void>();
  product.x_pitch = in_ * 2;
  product.y = y.as<void>();
  product.y_type = y_type;
  product.activation = activation_;
  CudaBuffer converted;
  if ((x_type != values_ || product.x_pitch % 16 != 0) && map.in_rows > 0) {
    product.x_pitch = round_up(in_, 8) * 2;
    if (Status status = converted.reserve(device_, static_cast<size_t>(map.in_rows * product.x_pitch)); !status.ok()) return status;
    const int error = kernel_->convert(x.as<void>(), x_type, map.in_rows, in_, converted.as<void>(), product.x_pitch, device_->stream());
    if (error != 0) return cuda_status(error, "converting x");
    product.x = converted.as<void>();
  }
  return cuda_status(kernel_->multiply(product, device_->stream()), kernel_->name);
}

std::vector<KernelRow> mapmm_cuda_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows)
    rows.push_back({row.name, "mapmm", row.values == DType::kFloat16 ? "float16" : "bfloat16", "dense", "cuda", 32,
                    row.kernel != nullptr && cuda_available()});
  return rows;
}

}  // namespace sk

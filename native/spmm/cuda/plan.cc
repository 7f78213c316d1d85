#include "plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "../../simd/half.h"

namespace sk {
namespace {

using Create = Status (*)(std::shared_ptr<const CudaDevice>, const SpmmOptions&, std::unique_ptr<const SpmmCudaWeight>*);

struct Row {
  const char* name;
  DType values;
  int n, m;
  Create create;
  const SpmmCudaKernel* kernel;  // null: built without CUDA

  // m = 0: cells, which take any pattern. Tiles take fewer than N of their M as well.
  bool fits(const SpmmOptions& o) const { return values == o.values && (m == 0 || (m == o.m && o.n <= n)); }
};

template <class T>
constexpr DType dtype_of = DType::kFloat32;
template <>
constexpr DType dtype_of<Half> = DType::kFloat16;
template <>
constexpr DType dtype_of<BHalf> = DType::kBFloat16;

}  // namespace

#ifdef SK_CUDA
#define SK_SPMM_CUDA(row, type, n, m, format) extern const SpmmCudaKernel spmm_##row##_cuda;
#include "../kernels.def"
#define SK_SPMM_KERNEL(row) &spmm_##row##_cuda
#else
#define SK_SPMM_KERNEL(row) nullptr
#endif

namespace {

const Row kRows[] = {
#define SK_SPMM_CUDA(row, type, n, m, format) {"spmm_" #row "_cuda", dtype_of<type>, n, m, &format##_create, SK_SPMM_KERNEL(row)},
#include "../kernels.def"
};

}  // namespace

Status SpmmCudaPlan::create(std::shared_ptr<const CudaDevice> device, const SpmmOptions& options,
                            std::shared_ptr<const SpmmCudaPlan>* result) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.kernel != nullptr && r.fits(options); });
  if (row == std::end(kRows))
    return Status(Code::kIsa, "expected a dtype and pattern that have a kernel for device 'cuda' (kernels() lists them)");
  if (options.weight.rows < 1 || options.weight.columns < 1)
    return Status(Code::kShape, "expected a weight [out, in] with at least one row and column");
  if (options.gate != nullptr) return Status(Code::kValue, "expected no gate on device 'cuda'");
  std::shared_ptr<SpmmCudaPlan> plan(new SpmmCudaPlan);
  plan->device_ = std::move(device);
  plan->kernel_ = row->kernel;
  plan->out_ = options.weight.rows;
  plan->in_ = options.weight.columns;
  plan->activation_ = options.activation;
  Status status = row->create(plan->device_, options, &plan->weight_);
  if (status.ok()) status = plan->upload_bias(options.bias);
  if (status.ok()) *result = std::move(plan);
  return status;
}

// Padded with zeros to whole tiles.
Status SpmmCudaPlan::upload_bias(const float* bias) {
  const auto bytes = static_cast<size_t>(round_up(out_, kTileRows)) * sizeof(float);
  AlignedBuffer host;
  if (!host.reserve(bytes)) return Status(Code::kMemory, "no memory for the bias of a plan");
  std::memset(host.as<void>(), 0, bytes);
  if (bias) std::memcpy(host.as<void>(), bias, static_cast<size_t>(out_) * sizeof(float));
  return upload_all(device_, host.as<void>(), bytes, &bias_);
}

Status SpmmCudaPlan::run(const CudaBuffer& x, DType x_type, int64_t tokens, const CudaBuffer& y, DType y_type) const {
  if (tokens == 0) return Status();
  SpmmCudaProduct product = {};
  product.bias = bias_.as<float>();
  product.in = in_;
  product.out = out_;
  product.tokens = tokens;
  product.y = y.as<void>();
  product.y_type = y_type;
  product.activation = activation_;
  return weight_->multiply(*kernel_, x, x_type, product);
}

std::vector<KernelRow> spmm_cuda_kernels() {
  const auto type_name = [](DType type) { return type == DType::kFloat32 ? "float32" : type == DType::kFloat16 ? "float16" : "bfloat16"; };
  std::vector<KernelRow> rows;
  for (const Row& row : kRows) {
    const std::string pattern = row.m != 0 ? std::to_string(row.n) + ":" + std::to_string(row.m) : "unstructured";
    rows.push_back({row.name, "spmm", type_name(row.values), pattern, "cuda", 32, row.kernel != nullptr && cuda_available()});
  }
  return rows;
}

}  // namespace sk

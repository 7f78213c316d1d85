#include "plan.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "../../simd/half.h"
#include "../band.h"

namespace sk {
namespace {

// What a row of kernels.def packs weights as.
struct Format {
  Status (*create)(const std::shared_ptr<const CudaDevice>&, const WeightRows&, DType, WeightPtr*);
  int gate_rows;
};
constexpr Format tiles = {&tiles_create, kTileGateRows}, cells = {&cells_create, kCellGateRows};

struct Row {
  const char* name;
  DType values;
  int n, m;
  const Format& format;
  const SpmmCudaKernel* kernel;  // null: built without CUDA

  // m = 0: cells, which take any pattern. Tiles take fewer than N of their M as well, and 1:2 is 2:4.
  bool fits(const SpmmOptions& o) const { return values == o.values && (m == 0 || ((m == o.m || o.m == 2) && o.n <= n)); }
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
#define SK_SPMM_CUDA(row, type, n, m, format) {"spmm_" #row "_cuda", dtype_of<type>, n, m, format, SK_SPMM_KERNEL(row)},
#include "../kernels.def"
};

}  // namespace

Status SpmmCudaPlan::create(std::shared_ptr<const CudaDevice> device, const SpmmOptions& options,
                            std::shared_ptr<const SpmmCudaPlan>* result) {
  if (Status status = check_options(options); !status.ok()) return status;
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.kernel != nullptr && r.fits(options); });
  if (row == std::end(kRows))
    return Status(Code::kIsa, "expected a dtype and pattern that have a kernel for device 'cuda' (kernels() lists them)");
  std::shared_ptr<SpmmCudaPlan> plan(new SpmmCudaPlan);
  plan->device_ = std::move(device);
  plan->kernel_ = row->kernel;
  plan->rows_ = {options.weight, options.gate, options.gate != nullptr, options.gate != nullptr ? row->format.gate_rows : 1};
  plan->activation_ = options.activation;
  Status status;
  if (options.m > 0) status = band_check(plan->rows_, {options.rows, options.n, options.m, options.venom});
  if (status.ok()) status = row->format.create(plan->device_, plan->rows_, options.values, &plan->weight_);
  if (status.ok()) status = plan->upload_vector(options.bias, options.gate_bias, &plan->bias_);
  plan->rows_.weight.data = plan->rows_.gate = nullptr;
  if (status.ok()) *result = std::move(plan);
  return status;
}

// In the order of the packed rows, padded with zeros to whole tiles.
Status SpmmCudaPlan::upload_vector(const float* vector, const float* gate_vector, CudaBuffer* buffer) const {
  std::vector<float> packed(static_cast<size_t>(round_up(rows_.count(), kTileRows)));
  rows_.pack_vector(vector, gate_vector, packed.data());
  return upload_all(device_, packed.data(), packed.size() * sizeof(float), buffer);
}

Status SpmmCudaPlan::run(const CudaBuffer& x, DType x_type, int64_t tokens, const CudaBuffer& y, DType y_type,
                         const CudaBuffer* residual) const {
  if (tokens == 0) return Status();
  SpmmCudaProduct product = {};
  product.bias = bias_.as<float>();
  product.rows = rows_.count();
  product.gate_rows = rows_.gated ? rows_.lanes : 0;
  product.in = in();
  product.out = out();
  product.tokens = tokens;
  product.y = y.as<void>();
  product.y_type = y_type;
  product.residual = residual ? residual->as<void>() : nullptr;
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

#include "plan.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "../band.h"
#include "tf32.h"

namespace sk {
namespace {

// What a row of kernels.def packs weights as.
struct Format {
  CreateWeight* create;
  int gate_rows;  // 0: takes no gate
  bool int8_activations, tf32;
};
constexpr Format tiles = {&tiles_create, kTileGateRows, false, false}, byte_tiles = {&byte_tiles_create, kTileGateRows, true, false},
                 byte_lanes = {&byte_lanes_create, kTileGateRows, false, false},
                 nibble_lanes = {&nibble_lanes_create, kTileGateRows, false, false},
                 tf32_tiles = {&tf32_tiles_create, kTileGateRows, false, true}, gathered = {&gathered_create, 0, false, false},
                 gathered_64 = {&gathered_64_create, 0, false, false}, cells = {&cells_create, kCellGateRows, false, false},
                 byte_cells = {&byte_cells_create, kCellGateRows, true, false};

struct Row {
  const char* name;
  DType values;
  int n, m;
  const Format& format;
  const SpmmCudaKernel* kernel;  // null: built without CUDA

  // m = 1: n rows share their columns. m = 0: cells, which take any pattern. Tiles take fewer than N of their M as well, and 1:2 is 2:4.
  // tf32 is where the weight is 1:2.
  bool fits(const SpmmOptions& o, bool tf32) const {
    if (values != o.values || format.int8_activations != o.int8_activations || (o.gate != nullptr && format.gate_rows == 0)) return false;
    if (m == 1) return o.rows % n == 0;
    return format.tf32 ? tf32 : m == 0 || ((m == o.m || o.m == 2) && o.n <= n);
  }
};

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

Status check_int4(const SpmmOptions& o) {
  if (o.values != DType::kInt4 || (o.m > 0 && o.group >= 32 && !o.int8_activations)) return Status();
  return Status(Code::kValue,
                "expected int4 weights on a CUDA device to be 2:4 or 1:2, in groups of 32, 64 or 128 inputs, and activations to be floats");
}

}  // namespace

Status SpmmCudaPlan::create(std::shared_ptr<const CudaDevice> device, const SpmmOptions& options,
                            std::shared_ptr<const SpmmCudaPlan>* result) {
  if (Status status = check_options(options); !status.ok()) return status;
  if (Status status = check_int4(options); !status.ok()) return status;
  const bool tf32 = options.allow_tf32 && keeps_one_of_two({options.weight, options.gate, options.gate != nullptr, 1});
  const auto fits = [&](const Row& r) { return r.kernel != nullptr && r.fits(options, tf32); };
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), fits);
  if (row == std::end(kRows))
    return Status(Code::kIsa, "expected a dtype and pattern that have a kernel for device 'cuda' (kernels() lists them)");
  std::shared_ptr<SpmmCudaPlan> plan(new SpmmCudaPlan);
  plan->device_ = std::move(device);
  plan->kernel_ = row->kernel;
  plan->rows_ = {options.weight, options.gate, options.gate != nullptr, options.gate != nullptr ? row->format.gate_rows : 1};
  plan->activation_ = options.activation;
  Status status;
  if (options.m > 0) status = band_check(plan->rows_, {options.rows, options.n, options.m, options.venom});
  if (status.ok() && options.values == DType::kInt8) status = plan->upload_scale(options);
  if (status.ok())
    status = row->format.create(plan->device_, plan->rows_, {options.values, nullptr, plan->host_scale_.data()}, options, &plan->weight_);
  if (status.ok()) status = plan->upload_bias(options);
  plan->rows_.weight.data = plan->rows_.gate = nullptr;
  if (status.ok()) *result = std::move(plan);
  return status;
}

// Vectors of the packed rows, padded with zeros to whole blocks of threads.
Status SpmmCudaPlan::upload_bias(const SpmmOptions& options) {
  std::vector<float> packed(static_cast<size_t>(round_up(rows_.count(), kLargeRows)));
  rows_.pack_vector(options.bias, options.gate_bias, packed.data());
  return upload_all(device_, packed.data(), packed.size() * sizeof(float), &bias_);
}

Status SpmmCudaPlan::upload_scale(const SpmmOptions& options) {
  host_scale_.resize(static_cast<size_t>(round_up(rows_.count(), kLargeRows)));
  if (options.scale)
    rows_.pack_vector(options.scale, options.gate_scale, host_scale_.data());
  else if (Status status = choose_scales(rows_, host_scale_.data()); !status.ok())
    return status;
  return upload_all(device_, host_scale_.data(), host_scale_.size() * sizeof(float), &scale_);
}

Status SpmmCudaPlan::run(const CudaBuffer& x, DType x_type, int64_t tokens, const CudaBuffer& y, DType y_type,
                         const CudaBuffer* residual) const {
  if (tokens == 0) return Status();
  SpmmCudaProduct product = {};
  product.scale = scale_.as<float>();
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
  constexpr const char* type_names[] = {"float32", "float16", "bfloat16", "int8", "int4"};
  std::vector<KernelRow> rows;
  for (const Row& row : kRows) {
    const std::string pattern = row.m == 1   ? "rows of " + std::to_string(row.n)
                                : row.m != 0 ? std::to_string(row.n) + ":" + std::to_string(row.m)
                                             : "unstructured";
    const char* type = row.format.int8_activations ? "w8a8" : row.format.tf32 ? "tf32" : type_names[static_cast<int>(row.values)];
    rows.push_back({row.name, "spmm", type, pattern, "cuda", 32, row.kernel != nullptr && cuda_available()});
  }
  return rows;
}

}  // namespace sk

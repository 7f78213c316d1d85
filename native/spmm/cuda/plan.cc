#include "plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "../../simd/half.h"

namespace sk {
namespace {

struct Row {
  const char* name;
  DType values;
  int n, m;
  const SpmmCudaKernel* kernel;  // null: built without CUDA
};

}  // namespace

#ifdef SK_CUDA
#define SK_SPMM_CUDA(row, type, n, m) extern const SpmmCudaKernel spmm_##row##_cuda;
#include "../kernels.def"
#define SK_SPMM_KERNEL(row) &spmm_##row##_cuda
#else
#define SK_SPMM_KERNEL(row) nullptr
#endif

namespace {

template <class T>
constexpr DType dtype_of = DType::kFloat16;
template <>
constexpr DType dtype_of<BHalf> = DType::kBFloat16;

const Row kRows[] = {
#define SK_SPMM_CUDA(row, type, n, m) {"spmm_" #row "_cuda", dtype_of<type>, n, m, SK_SPMM_KERNEL(row)},
#include "../kernels.def"
};

constexpr int64_t kTileInputs = kTileRowBytes / 2;
constexpr int64_t kFewTokens = 64;  // up to here the weight is most of what moves

}  // namespace

Status SpmmCudaPlan::create(std::shared_ptr<const CudaDevice> device, const SpmmOptions& options,
                            std::shared_ptr<const SpmmCudaPlan>* result) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) {
    return r.kernel != nullptr && r.values == options.values && r.m == options.m && options.n <= r.n;  // 1:4 is 2:4 with a zero
  });
  if (row == std::end(kRows))
    return Status(Code::kIsa, "expected a dtype and pattern that have a kernel for device 'cuda' (kernels() lists them)");
  if (options.weight.rows < 1 || options.weight.columns < 1)
    return Status(Code::kShape, "expected a weight [out, in] with at least one row and column");
  std::shared_ptr<SpmmCudaPlan> plan(new SpmmCudaPlan);
  plan->device_ = std::move(device);
  plan->kernel_ = row->kernel;
  plan->values_type_ = row->values;
  plan->in_ = options.weight.columns;
  plan->activation_ = options.activation;
  Status status = canonical_pack(options.weight, options.values, &plan->values_, &plan->fields_, &plan->canonical_);
  if (status.ok()) status = plan->upload_tiles();
  if (status.ok()) status = plan->upload_bias(options);
  if (status.ok()) *result = std::move(plan);
  return status;
}

Status SpmmCudaPlan::upload_tiles() {
  const int64_t tiles = ceil_div(canonical_.out, kTileRows) * ceil_div(canonical_.in_padded, kTileInputs);
  const auto bytes = static_cast<size_t>(tiles) * kTileBytes;
  AlignedBuffer host;
  if (!host.reserve(bytes)) return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(bytes) + " bytes");
  tile_pack(canonical_, host.as<uint8_t>());
  Status status = tiles_.reserve(device_, bytes);
  if (status.ok()) status = tiles_.upload(host.as<void>(), bytes);
  if (status.ok()) status = device_->synchronize();
  return status;
}

// Padded with zeros to whole tiles.
Status SpmmCudaPlan::upload_bias(const SpmmOptions& options) {
  const auto bytes = static_cast<size_t>(round_up(canonical_.out, kTileRows)) * sizeof(float);
  AlignedBuffer host;
  if (!host.reserve(bytes)) return Status(Code::kMemory, "no memory for the bias of a plan");
  std::memset(host.as<void>(), 0, bytes);
  if (options.bias) std::memcpy(host.as<void>(), options.bias, static_cast<size_t>(canonical_.out) * sizeof(float));
  Status status = bias_.reserve(device_, bytes);
  if (status.ok()) status = bias_.upload(host.as<void>(), bytes);
  if (status.ok()) status = device_->synchronize();
  return status;
}

// Few tokens make few blocks of threads: the inputs are split until there are two for each multiprocessor.
int SpmmCudaPlan::splits(int64_t tokens, int token_tile, int64_t k_tiles) const {
  if (tokens > kFewTokens) return 1;
  const int64_t blocks = ceil_div(canonical_.out, kTileRows) * ceil_div(tokens, token_tile);
  return static_cast<int>(std::clamp<int64_t>(2 * device_->multiprocessors() / blocks, 1, std::max<int64_t>(1, k_tiles / 4)));
}

Status SpmmCudaPlan::run(const CudaBuffer& x, DType x_type, int64_t tokens, const CudaBuffer& y, DType y_type) const {
  if (tokens == 0) return Status();
  const int token_tile = tokens <= kFewTokens ? kTokenTiles[1] : kTokenTiles[0];
  const int64_t k_tiles = ceil_div(canonical_.in_padded, kTileInputs);
  const int parts = splits(tokens, token_tile, k_tiles);
  SpmmCudaProduct product = {tiles_.as<void>(),
                             bias_.as<float>(),
                             in_,
                             out(),
                             k_tiles,
                             x.as<void>(),
                             in_ * 2,
                             tokens,
                             y.as<void>(),
                             y_type,
                             activation_,
                             parts,
                             nullptr};
  CudaBuffer rows, partial;
  if (x_type != values_type_ || product.x_pitch % 16 != 0) {
    product.x_pitch = round_up(in_, 8) * 2;
    if (Status status = rows.reserve(device_, static_cast<size_t>(tokens * product.x_pitch)); !status.ok()) return status;
    const int error = kernel_->convert(x.as<void>(), x_type, tokens, in_, rows.as<void>(), product.x_pitch, device_->stream());
    if (error != 0) return cuda_status(error, "converting x");
    product.x = rows.as<void>();
  }
  if (parts > 1) {
    if (Status status = partial.reserve(device_, static_cast<size_t>(parts * tokens * out()) * sizeof(float)); !status.ok()) return status;
    product.partial = partial.as<float>();
  }
  return cuda_status(kernel_->multiply(product, token_tile, device_->stream()), kernel_->name);
}

void SpmmCudaPlan::to_dense(float* dense) const { canonical_unpack(canonical_, values_type_, in_, dense); }

std::vector<KernelRow> spmm_cuda_kernels() {
  std::vector<KernelRow> rows;
  for (const Row& row : kRows)
    rows.push_back({row.name, "spmm", row.values == DType::kFloat16 ? "float16" : "bfloat16",
                    std::to_string(row.n) + ":" + std::to_string(row.m), "cuda", 32, row.kernel != nullptr && cuda_available()});
  return rows;
}

}  // namespace sk

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "../../core/parallel.h"
#include "../pack.h"
#include "weight.h"

namespace sk {
namespace {

constexpr int kPackThreads = 1024;

class CellWeight : public SpmmCudaWeight {
 public:
  // `dense` [out, in]
  Status pack(const float* dense, int64_t out, int64_t in);
  Status upload(const std::shared_ptr<const CudaDevice>& device);
  Status multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const override;
  void to_dense(float* dense) const override;
  size_t bytes() const override { return d_starts_.bytes() + d_values_.bytes() + d_indices_.bytes() + d_order_.bytes(); }

 private:
  int64_t cell_of(int64_t row_block, int64_t k_cell) const { return row_block * k_cells_ + k_cell; }
  std::array<int, kCellRows> counts(const float* dense, int64_t row_block, int64_t k_cell) const;
  void fill(const float* dense, int64_t row_block, int64_t k_cell);

  int64_t out_ = 0, in_ = 0, k_cells_ = 0;
  std::vector<uint32_t> starts_;
  std::vector<float> values_;
  std::vector<uint8_t> indices_, order_;
  CudaBuffer d_starts_, d_values_, d_indices_, d_order_;
};

// Non-zeros of each row of a cell.
std::array<int, kCellRows> CellWeight::counts(const float* dense, int64_t row_block, int64_t k_cell) const {
  std::array<int, kCellRows> counts = {};
  const int64_t k0 = k_cell * kCellInputs, k1 = std::min(in_, k0 + kCellInputs);
  for (int r = 0; r < kCellRows; ++r) {
    const int64_t row = row_block * kCellRows + r;
    if (row >= out_) break;
    for (int64_t k = k0; k < k1; ++k) counts[static_cast<size_t>(r)] += dense[row * in_ + k] != 0;  // NaN counts
  }
  return counts;
}

// The longest rows first, to the warps in turns, there and back: each gets eight rows, in the places of its own.
void deal(const std::array<int64_t, kCellRows>& lengths, uint8_t* order) {
  std::array<int, kCellRows> rows;
  std::iota(rows.begin(), rows.end(), 0);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](int a, int b) { return lengths[static_cast<size_t>(a)] > lengths[static_cast<size_t>(b)]; });
  for (int i = 0; i < kCellRows; ++i) {
    const int round = i / kCellWarps, turn = i % kCellWarps, warp = round % 2 == 0 ? turn : kCellWarps - 1 - turn;
    order[warp * (kCellRows / kCellWarps) + round] = static_cast<uint8_t>(rows[static_cast<size_t>(i)]);
  }
}

Status CellWeight::pack(const float* dense, int64_t out, int64_t in) {
  out_ = out;
  in_ = in;
  k_cells_ = ceil_div(in, kCellInputs);
  const int64_t row_blocks = ceil_div(out, kCellRows);
  starts_.resize(static_cast<size_t>(row_blocks * k_cells_ * kCellRows + 1));
  order_.resize(static_cast<size_t>(row_blocks * kCellRows));
  parallel_for(row_blocks, kPackThreads, [&](int64_t block, int) {
    std::array<int64_t, kCellRows> lengths = {};
    for (int64_t k = 0; k < k_cells_; ++k) {
      const auto of_cell = counts(dense, block, k);
      for (size_t r = 0; r < kCellRows; ++r) lengths[r] += ceil_div(of_cell[r], 4);
    }
    uint8_t* order = &order_[static_cast<size_t>(block * kCellRows)];
    deal(lengths, order);
    for (int64_t k = 0; k < k_cells_; ++k) {
      const auto of_cell = counts(dense, block, k);
      for (int place = 0; place < kCellRows; ++place)
        starts_[static_cast<size_t>(cell_of(block, k) * kCellRows + place + 1)] = static_cast<uint32_t>(ceil_div(of_cell[order[place]], 4));
    }
  });
  int64_t quads = 0;
  for (uint32_t& start : starts_) {
    quads += start;
    if (quads > UINT32_MAX) return Status(Code::kShape, "expected at most 2^34 non-zero weights");
    start = static_cast<uint32_t>(quads);
  }
  values_.assign(static_cast<size_t>(quads * 4), 0);
  indices_.assign(static_cast<size_t>(quads * 4), 0);
  parallel_for(row_blocks, kPackThreads, [&](int64_t block, int) {
    for (int64_t k = 0; k < k_cells_; ++k) fill(dense, block, k);
  });
  return Status();
}

void CellWeight::fill(const float* dense, int64_t row_block, int64_t k_cell) {
  const int64_t k0 = k_cell * kCellInputs, k1 = std::min(in_, k0 + kCellInputs);
  for (int place = 0; place < kCellRows; ++place) {
    const int64_t row = row_block * kCellRows + order_[static_cast<size_t>(row_block * kCellRows + place)];
    if (row >= out_) continue;
    size_t at = size_t{4} * starts_[static_cast<size_t>(cell_of(row_block, k_cell) * kCellRows + place)];
    for (int64_t k = k0; k < k1; ++k) {
      if (dense[row * in_ + k] == 0) continue;
      values_[at] = dense[row * in_ + k];
      indices_[at++] = static_cast<uint8_t>(k - k0);
    }
  }
}

Status CellWeight::upload(const std::shared_ptr<const CudaDevice>& device) {
  Status status = upload_all(device, starts_.data(), starts_.size() * 4, &d_starts_);
  if (status.ok()) status = upload_all(device, values_.data(), values_.size() * 4, &d_values_);
  if (status.ok()) status = upload_all(device, indices_.data(), indices_.size(), &d_indices_);
  if (status.ok()) status = upload_all(device, order_.data(), order_.size(), &d_order_);
  return status;
}

Status CellWeight::multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const {
  const SpmmShape shape = product.tokens <= kFewTokens ? SpmmShape::kFew : SpmmShape::kMany;
  product.cells = {d_starts_.as<uint32_t>(), d_values_.as<float>(), d_indices_.as<uint8_t>(), d_order_.as<uint8_t>()};
  product.k_tiles = k_cells_;
  product.splits = 1;
  product.x_pitch = round_up(product.tokens, shape == SpmmShape::kFew ? kFewTokens : kManyTokens) * 4;
  const auto device = d_order_.shared_device();
  CudaBuffer panel;
  Status status = panel.reserve(device, static_cast<size_t>(k_cells_ * kCellInputs * product.x_pitch));
  if (!status.ok()) return status;
  product.x = panel.as<void>();
  status = cuda_status(kernel.convert(x.as<void>(), x_type, product.tokens, in_, panel.as<void>(), product.x_pitch, device->stream()),
                       "converting x");
  return status.ok() ? cuda_status(kernel.multiply(product, shape, device->stream()), kernel.name) : status;
}

void CellWeight::to_dense(float* dense) const {
  std::memset(dense, 0, static_cast<size_t>(out_ * in_) * sizeof(float));
  for (size_t place = 0; place + 1 < starts_.size(); ++place) {
    const auto cell = static_cast<int64_t>(place) / kCellRows, row_block = cell / k_cells_;
    const int64_t row = row_block * kCellRows + order_[static_cast<size_t>(row_block * kCellRows) + place % kCellRows];
    for (size_t at = size_t{4} * starts_[place]; at < size_t{4} * starts_[place + 1]; ++at)
      if (values_[at] != 0) dense[row * in_ + cell % k_cells_ * kCellInputs + indices_[at]] = values_[at];
  }
}

}  // namespace

// An N:M weight is checked by packing it as the CPU does; both kinds then are what is left of a dense one.
Status cells_create(std::shared_ptr<const CudaDevice> device, const SpmmOptions& options, std::unique_ptr<const SpmmCudaWeight>* result) {
  const MatrixView& weight = options.weight;
  if (options.m == 0 && weight.type != DType::kFloat32) return Status(Code::kValue, "expected an unstructured weight to be float32");
  if (options.m != 0 && !nm_known(options.n, options.m)) return Status(Code::kPattern, "expected a known pattern N:M");
  AlignedBuffer values, fields, dense;
  const float* source = static_cast<const float*>(weight.data);
  if (options.m != 0) {
    const WeightRows rows = plain_rows(weight);
    PackedNm packed;
    nm_layout(options.n, options.m, rows, 1, 1, &packed);
    packed.k_block = packed.in_padded;
    int64_t kept;
    if (!nm_kept(packed, &kept) || !values.reserve(static_cast<size_t>(kept) * 4) || !fields.reserve(static_cast<size_t>(kept)) ||
        !dense.reserve(static_cast<size_t>(weight.rows * weight.columns) * 4))
      return Status(Code::kMemory,
                    "no memory for packing a weight of " + std::to_string(weight.rows) + " x " + std::to_string(weight.columns));
    const PackedValues as_floats = {DType::kFloat32, values.as<void>(), nullptr};
    if (Status status = nm_pack(rows, packed, as_floats, fields.as<uint32_t>()); !status.ok()) return status;
    packed.fields = fields.as<uint32_t>();
    nm_unpack(packed, as_floats, rows, dense.as<float>());
    source = dense.as<float>();
  }
  auto cells = std::make_unique<CellWeight>();
  Status status = cells->pack(source, weight.rows, weight.columns);
  if (status.ok()) status = cells->upload(device);
  if (status.ok()) *result = std::move(cells);
  return status;
}

}  // namespace sk

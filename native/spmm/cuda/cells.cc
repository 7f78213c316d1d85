#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "../../core/parallel.h"
#include "weight.h"

namespace sk {
namespace {

// The packed rows of one row block as float32; null: zeros.
class BlockRows {
 public:
  BlockRows(const WeightRows& rows, int64_t row_block) {
    const int64_t first = row_block * kCellRows, end = std::min(first + kCellRows, rows.count()), in = rows.weight.columns;
    room_.resize(rows.weight.type == DType::kFloat32 ? 0 : static_cast<size_t>((end - first) * in));
    for (int64_t row = first; row < end; ++row)
      rows_[static_cast<size_t>(row - first)] = rows.read(row, room_.data() + (room_.empty() ? 0 : (row - first) * in));
  }
  const float* operator[](int row) const { return rows_[static_cast<size_t>(row)]; }

 private:
  std::array<const float*, kCellRows> rows_ = {};
  std::vector<float> room_;
};

class CellWeight : public SpmmCudaWeight {
 public:
  CellWeight(bool bytes) : bytes_(bytes) {}
  Status pack(const WeightRows& rows, const PackedValues& values);
  Status upload(const std::shared_ptr<const CudaDevice>& device);
  Status multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const override;
  void to_dense(float* dense) const override;
  size_t bytes() const override { return d_starts_.bytes() + d_values_.bytes() + d_indices_.bytes() + d_order_.bytes(); }

 private:
  int64_t in() const { return rows_.weight.columns; }
  int64_t row_of(int64_t row_block, int place) const { return order_[static_cast<size_t>(row_block * kCellRows + place)]; }
  size_t start_of(int64_t row_block, int64_t k_cell, int place) const {
    return static_cast<size_t>((row_block * k_cells_ + k_cell) * kCellRows + place);
  }
  void count(const BlockRows& rows, int64_t row_block);
  Status fill(const WeightRows& source, const BlockRows& rows, int64_t row_block);

  bool bytes_;  // x is int8
  WeightRows rows_ = {};
  PackedValues packed_ = {};
  int64_t k_cells_ = 0;
  std::vector<uint32_t> starts_;
  AlignedBuffer values_;
  std::vector<uint8_t> indices_, order_;
  CudaBuffer d_starts_, d_values_, d_indices_, d_order_;
};

// Quads that the inputs [k0, k1) of a row fill.
uint32_t quads_of(const float* row, int64_t k0, int64_t k1) {
  int64_t count = 0;
  for (int64_t k = k0; row && k < k1; ++k) count += row[k] != 0;  // NaN counts
  return static_cast<uint32_t>(ceil_div(count, 4));
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

// Deals the rows of a row block; starts_ becomes their quads.
void CellWeight::count(const BlockRows& rows, int64_t row_block) {
  std::array<int64_t, kCellRows> lengths = {};
  std::vector<std::array<uint32_t, kCellRows>> quads(static_cast<size_t>(k_cells_));
  for (int64_t k = 0; k < k_cells_; ++k)
    for (int r = 0; r < kCellRows; ++r) {
      const auto at = static_cast<size_t>(r);
      quads[static_cast<size_t>(k)][at] = quads_of(rows[r], k * kCellInputs, std::min(in(), (k + 1) * kCellInputs));
      lengths[at] += quads[static_cast<size_t>(k)][at];
    }
  deal(lengths, &order_[static_cast<size_t>(row_block * kCellRows)]);
  for (int64_t k = 0; k < k_cells_; ++k)
    for (int place = 0; place < kCellRows; ++place)
      starts_[start_of(row_block, k, place) + 1] = quads[static_cast<size_t>(k)][static_cast<size_t>(row_of(row_block, place))];
}

Status CellWeight::fill(const WeightRows& source, const BlockRows& rows, int64_t row_block) {
  for (int64_t k_cell = 0; k_cell < k_cells_; ++k_cell) {
    const int64_t k0 = k_cell * kCellInputs, k1 = std::min(in(), k0 + kCellInputs);
    for (int place = 0; place < kCellRows; ++place) {
      const int64_t row = row_of(row_block, place);
      const float* dense = rows[static_cast<int>(row)];
      const bool quantise = packed_.type == DType::kInt8 && source.weight.type != DType::kInt8;
      const float inverse_scale = quantise ? 1 / packed_.scale[row_block * kCellRows + row] : 1;
      int64_t at = int64_t{4} * starts_[start_of(row_block, k_cell, place)];
      for (int64_t k = k0; dense && k < k1; ++k) {
        if (dense[k] == 0) continue;
        if (!packed_.write(at, dense[k], inverse_scale)) return too_large(source, row_block * kCellRows + row, k, packed_.type);
        indices_[static_cast<size_t>(at++)] = static_cast<uint8_t>(k - k0);
      }
    }
  }
  return Status();
}

Status CellWeight::pack(const WeightRows& rows, const PackedValues& values) {
  rows_ = rows;
  rows_.weight.data = rows_.gate = nullptr;
  k_cells_ = ceil_div(in(), kCellInputs);
  const int64_t row_blocks = ceil_div(rows.count(), kCellRows);
  starts_.resize(start_of(row_blocks, 0, 0) + 1);
  order_.resize(static_cast<size_t>(row_blocks * kCellRows));
  const auto each_block = [&](auto&& visit) {
    return for_each_block(row_blocks, 1, [&](int64_t block, int64_t) { return visit(BlockRows(rows, block), block); });
  };
  Status status = each_block([&](const BlockRows& block, int64_t number) { return count(block, number), Status(); });
  size_t quads = 0;
  for (uint32_t& start : starts_) {
    quads += start;
    if (quads > UINT32_MAX) return Status(Code::kShape, "expected at most 2^34 non-zero weights");
    start = static_cast<uint32_t>(quads);
  }
  const size_t places = quads * 4 + 4, bytes = places * size_of(values.type);  // a kernel loads one quad more than it needs
  if (!values_.reserve(bytes)) return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(bytes) + " bytes");
  std::memset(values_.as<void>(), 0, bytes);
  packed_ = {values.type, values_.as<void>(), values.scale};
  indices_.assign(places, 0);
  return each_block([&](const BlockRows& block, int64_t number) { return fill(rows, block, number); });
}

Status CellWeight::upload(const std::shared_ptr<const CudaDevice>& device) {
  Status status = upload_all(device, starts_.data(), starts_.size() * 4, &d_starts_);
  if (status.ok()) status = upload_all(device, values_.as<void>(), indices_.size() * size_of(packed_.type), &d_values_);
  if (status.ok()) status = upload_all(device, indices_.data(), indices_.size(), &d_indices_);
  if (status.ok()) status = upload_all(device, order_.data(), order_.size(), &d_order_);
  return status;
}

Status CellWeight::multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const {
  const SpmmShape shape = product.tokens <= kFewTokens && !bytes_ ? SpmmShape::kFew : SpmmShape::kMany;
  product.cells = {d_starts_.as<uint32_t>(), packed_.type, d_values_.as<void>(), d_indices_.as<uint8_t>(), d_order_.as<uint8_t>()};
  product.k_tiles = k_cells_;
  product.splits = 1;
  product.x_pitch = round_up(product.tokens, shape == SpmmShape::kFew ? kFewTokens : kManyTokens) * (bytes_ ? 1 : 4);
  const auto device = d_order_.shared_device();
  const int64_t in_padded = k_cells_ * kCellInputs;
  CudaBuffer panel, scales;
  Status status =
      panel.reserve(device, static_cast<size_t>(bytes_ ? int8_panel_bytes(in_padded, product.x_pitch) : in_padded * product.x_pitch));
  if (status.ok() && bytes_) status = scales.reserve(device, static_cast<size_t>(product.tokens) * sizeof(float));
  if (!status.ok()) return status;
  product.x = panel.as<void>();
  product.x_scale = scales.as<float>();
  status = cuda_status(
      kernel.convert(x.as<void>(), x_type, product.tokens, in(), panel.as<void>(), product.x_pitch, scales.as<float>(), device->stream()),
      "converting x");
  return status.ok() ? cuda_status(kernel.multiply(product, shape, device->stream()), kernel.name) : status;
}

void CellWeight::to_dense(float* dense) const {
  std::memset(dense, 0, static_cast<size_t>(rows_.weight.rows * (rows_.gated ? 2 : 1) * in()) * sizeof(float));
  for (int64_t block = 0; block < ceil_div(rows_.count(), kCellRows); ++block)
    for (int64_t k_cell = 0; k_cell < k_cells_; ++k_cell)
      for (int place = 0; place < kCellRows; ++place) {
        const size_t start = start_of(block, k_cell, place);
        const int64_t row = block * kCellRows + row_of(block, place), to = row < rows_.count() ? rows_.place(row) : -1;
        for (int64_t at = int64_t{4} * starts_[start]; at < int64_t{4} * starts_[start + 1]; ++at)
          if (const float value = packed_.read(at, row); value != 0)
            dense[to * in() + k_cell * kCellInputs + indices_[static_cast<size_t>(at)]] = value;
      }
}

Status create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values, bool bytes,
              WeightPtr* result) {
  auto cells = std::make_unique<CellWeight>(bytes);
  Status status = cells->pack(rows, values);
  if (status.ok()) status = cells->upload(device);
  if (status.ok()) *result = std::move(cells);
  return status;
}

}  // namespace

Status cells_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values, const SpmmOptions&,
                    WeightPtr* result) {
  return create(device, rows, values, false, result);
}

Status byte_cells_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values,
                         const SpmmOptions&, WeightPtr* result) {
  if (Status status = check_int8_inputs(rows.weight.columns, kMostInt8Kept); !status.ok()) return status;
  return create(device, rows, values, true, result);
}

}  // namespace sk

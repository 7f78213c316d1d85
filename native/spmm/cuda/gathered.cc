#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "../../core/parallel.h"
#include "tile_pack.h"
#include "weight.h"

namespace sk {
namespace {

constexpr int64_t kMostFewTokens = 64;
constexpr int kTileInputs = 64;  // as the tile sees it, of which a row has half
constexpr uint32_t kFirstTwo = 0x44444444;

// A row block: the columns that its rows use, in the order of its tiles, and its values as tiles take them.
struct GatheredBlock {
  int64_t tiles;
  std::vector<int32_t> columns;
  std::vector<int64_t> bands;    // of each four columns, where rows have two of four: which rows these are for
  std::vector<uint16_t> values;  // [rows][tiles * 32]
  std::vector<uint32_t> fields;  // [rows][tiles * 2]
};

class GatheredWeight : public SpmmCudaWeight {
 public:
  // group: 0, or so many inputs of which each `band` of rows uses at most four, and each row two.
  GatheredWeight(DType type, int tile_rows, int64_t band, int group) : type_(type), tile_rows_(tile_rows), band_(band), group_(group) {}
  Status pack(const WeightRows& rows);
  Status upload(const std::shared_ptr<const CudaDevice>& device);
  Status multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const override;
  void to_dense(float* dense) const override;
  size_t bytes() const override { return tiles_.bytes() + starts_.bytes() + columns_.bytes(); }

 private:
  int64_t in() const { return rows_.weight.columns; }
  int tile_columns() const { return group_ ? 64 : 32; }
  size_t tile_bytes() const { return static_cast<size_t>(sk::tile_bytes(TileForm::kHalves)) * tile_rows_ / kTileRows; }
  void choose_columns(const std::vector<const float*>& rows, int64_t first_row, GatheredBlock* block) const;
  Status pack_block(const WeightRows& rows, int64_t first_row, GatheredBlock* block) const;

  DType type_;
  int tile_rows_;
  int64_t band_;
  int group_;
  WeightRows rows_ = {};
  std::vector<GatheredBlock> blocks_;
  int64_t most_tiles_ = 0;
  CudaBuffer tiles_, starts_, columns_;
};

// The columns that a row uses, where rows have two of four those of each band by themselves; groups of inputs are filled up to four, tiles
// to all their columns.
void GatheredWeight::choose_columns(const std::vector<const float*>& rows, int64_t first_row, GatheredBlock* block) const {
  const auto count = static_cast<int64_t>(rows.size()), band_rows = group_ ? band_ : tile_rows_, width = group_ ? group_ : in();
  const auto none = static_cast<int32_t>(in());
  std::vector<int32_t>& columns = block->columns;
  for (int64_t k = 0; k < in(); k += width)
    for (int64_t band = first_row / band_rows; band * band_rows < first_row + count; ++band) {
      const auto begin = rows.begin() + std::max<int64_t>(0, band * band_rows - first_row),
                 end = rows.begin() + std::min(count, (band + 1) * band_rows - first_row);
      for (int64_t c = k; c < std::min(in(), k + width); ++c)
        if (std::any_of(begin, end, [&](const float* row) { return row && row[c] != 0; })) columns.push_back(static_cast<int32_t>(c));
      columns.resize(round_up(columns.size(), size_t{4}), none);
      block->bands.resize(columns.size() / 4, band);
    }
  columns.resize(round_up(columns.size(), static_cast<size_t>(tile_columns())), none);
  block->bands.resize(columns.size() / 4, -1);
}

Status GatheredWeight::pack_block(const WeightRows& rows, int64_t first_row, GatheredBlock* block) const {
  const int64_t count = std::min<int64_t>(tile_rows_, rows.count() - first_row);
  std::vector<float> room(rows.weight.type == DType::kFloat32 ? 0 : static_cast<size_t>(count * in()));
  std::vector<const float*> dense;
  for (int64_t i = 0; i < count; ++i) dense.push_back(rows.read(first_row + i, room.data() + (room.empty() ? 0 : i * in())));
  choose_columns(dense, first_row, block);
  const int64_t tiles = block->tiles = static_cast<int64_t>(block->columns.size()) / tile_columns();
  block->values.assign(static_cast<size_t>(tile_rows_ * tiles * 32), 0);
  block->fields.assign(static_cast<size_t>(tile_rows_ * tiles * 2), kFirstTwo);
  const PackedValues values = {type_, block->values.data(), nullptr};
  for (int64_t i = 0; i < count; ++i) {
    const auto weight = [&](size_t c) {
      return dense[static_cast<size_t>(i)] && block->columns[c] < in() ? dense[static_cast<size_t>(i)][block->columns[c]] : 0;
    };
    const auto write = [&](int64_t at, size_t c) {
      return values.write(i * tiles * 32 + at, weight(c), 1) ? Status() : too_large(rows, first_row + i, block->columns[c], type_);
    };
    for (size_t c = 0; c < block->columns.size(); c += group_ ? 4 : 1) {
      if (!group_) {
        if (Status status = write(static_cast<int64_t>(c), c); !status.ok()) return status;
        continue;
      }
      if (block->bands[c / 4] != (first_row + i) / band_) continue;
      // Two of four: its non-zeros, topped up by the first of the others, in order.
      size_t first = 0;
      while (first < 2 && weight(c + first) == 0) ++first;
      size_t second = 3;
      while (second > first + 1 && weight(c + second) == 0) --second;
      Status status = write(static_cast<int64_t>(c / 2), c + first);
      if (status.ok()) status = write(static_cast<int64_t>(c / 2 + 1), c + second);
      if (!status.ok()) return status;
      uint32_t& word = block->fields[static_cast<size_t>(i * tiles * 2) + c / 32];
      word = (word & ~(15u << c % 32)) | static_cast<uint32_t>(first | second << 2) << c % 32;
    }
  }
  return Status();
}

Status GatheredWeight::pack(const WeightRows& rows) {
  rows_ = rows;
  rows_.weight.data = nullptr;
  blocks_.resize(static_cast<size_t>(ceil_div(rows.count(), tile_rows_)));
  Status status = for_each_block(rows.count(), tile_rows_, [&](int64_t first, int64_t) {
    return pack_block(rows, first, &blocks_[static_cast<size_t>(first / tile_rows_)]);
  });
  for (const GatheredBlock& block : blocks_) most_tiles_ = std::max(most_tiles_, block.tiles);
  return status;
}

Status GatheredWeight::upload(const std::shared_ptr<const CudaDevice>& device) {
  std::vector<uint32_t> starts = {0};
  std::vector<int32_t> columns;
  for (const GatheredBlock& block : blocks_) {
    starts.push_back(starts.back() + static_cast<uint32_t>(block.tiles));
    columns.insert(columns.end(), block.columns.begin(), block.columns.end());
  }
  std::vector<uint8_t> tiles(starts.back() * tile_bytes());
  for (size_t b = 0; b < blocks_.size(); ++b) {
    const int64_t count = blocks_[b].tiles;
    CanonicalWeight weight = {tile_rows_, count * kTileInputs, TileForm::kHalves,
                              reinterpret_cast<const uint8_t*>(blocks_[b].values.data()), blocks_[b].fields.data()};
    weight.tile_rows = tile_rows_;
    for (int64_t tile = 0; tile < count; ++tile)
      pack_tile(weight, 0, tile * kTileInputs, &tiles[(starts[b] + static_cast<size_t>(tile)) * tile_bytes()]);
  }
  tiles.resize(tiles.size() + 1);  // all may be empty
  columns.push_back(0);
  Status status = upload_all(device, tiles.data(), tiles.size(), &tiles_);
  if (status.ok()) status = upload_all(device, starts.data(), starts.size() * sizeof(uint32_t), &starts_);
  if (status.ok()) status = upload_all(device, columns.data(), columns.size() * sizeof(int32_t), &columns_);
  return status;
}

Status GatheredWeight::multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const {
  const bool few = product.tokens <= kMostFewTokens;
  const auto& device = tiles_.shared_device();
  const int64_t block_tokens = few ? kFewTokens : kManyTokens, padded = round_up(product.tokens, block_tokens);
  product.tiles = tiles_.as<void>();
  product.starts = starts_.as<uint32_t>();
  product.columns = columns_.as<int32_t>();
  product.tile_columns = tile_columns();
  product.splits = few ? even_splits(*device, static_cast<int64_t>(blocks_.size()) * padded / block_tokens, most_tiles_) : 1;
  product.x_pitch = padded * static_cast<int64_t>(size_of(type_));
  CudaBuffer panel, partial;
  Status status = panel.reserve(device, static_cast<size_t>(gathered_inputs(in()) * product.x_pitch));
  if (status.ok()) status = reserve_partial(device, &product, &partial);
  if (!status.ok()) return status;
  product.x = panel.as<void>();
  status =
      cuda_status(kernel.convert(x.as<void>(), x_type, product.tokens, in(), panel.as<void>(), product.x_pitch, nullptr, device->stream()),
                  "converting x");
  return status.ok() ? cuda_status(kernel.multiply(product, few ? SpmmShape::kFew : SpmmShape::kMany, device->stream()), kernel.name)
                     : status;
}

void GatheredWeight::to_dense(float* dense) const {
  std::memset(dense, 0, static_cast<size_t>(rows_.weight.rows * in()) * sizeof(float));
  for (int64_t row = 0; row < rows_.weight.rows; ++row) {
    const GatheredBlock& block = blocks_[static_cast<size_t>(row / tile_rows_)];
    const int64_t in_block = row % tile_rows_, tiles = block.tiles;
    const PackedValues values = {type_, const_cast<uint16_t*>(block.values.data()), nullptr};
    for (int64_t kept = 0; kept < tiles * 32; ++kept) {
      const uint32_t word = block.fields[static_cast<size_t>(in_block * tiles * 2 + kept / 16)];
      const int64_t column = group_ ? kept / 2 * 4 + (word >> kept % 16 * 2 & 3) : kept;
      const int32_t k = block.columns[static_cast<size_t>(column)];
      if (k < in()) dense[row * in() + k] += values.read(in_block * tiles * 32 + kept, row);  // of other bands: 0
    }
  }
}

Status create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, DType type, int tile_rows,
              const SpmmOptions& options, WeightPtr* result) {
  auto weight = std::make_unique<GatheredWeight>(type, tile_rows, options.rows, options.venom && options.n <= 2 ? options.m : 0);
  Status status = weight->pack(rows);
  if (status.ok()) status = weight->upload(device);
  if (status.ok()) *result = std::move(weight);
  return status;
}

}  // namespace

Status gathered_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values,
                       const SpmmOptions& options, WeightPtr* result) {
  return create(device, rows, values.type, kTileRows, options, result);
}

Status gathered_64_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values,
                          const SpmmOptions& options, WeightPtr* result) {
  return create(device, rows, values.type, kHalfTileRows, options, result);
}

}  // namespace sk

#include <algorithm>
#include <cmath>
#include <utility>

#include "../../core/parallel.h"
#include "../pack.h"
#include "tf32.h"
#include "tile_pack.h"
#include "weight.h"

namespace sk {
namespace {

constexpr int kPackThreads = 1024;
constexpr int64_t kMostFewTokens = 64;  // up to here the weight is most of what moves

// group: of int4, else 0
PackedNm canonical_layout(const WeightRows& rows, int64_t group = 0) {
  PackedNm packed;
  nm_layout(2, 4, rows, 1, 1, &packed, nullptr, group);
  packed.lanes = 1;  // whatever the rows take turns in
  packed.k_block = packed.in_padded;
  return packed;
}

// Products of a scale and 8 steps, or 15 where a zero point lies anywhere, must be finite.
Status check_scales(const WeightRows& rows, const Int4Levels& levels) {
  const float most = levels.zero_point ? 4364 : 8188;
  for (int64_t row = 0; row < rows.count(); ++row)
    for (int64_t input = 0; input < rows.weight.columns; input += levels.group)
      if (const float scale = levels.level(row, input).scale; std::fabs(scale) > most)
        return Status(Code::kValue, "expected scales of at most " + std::to_string(static_cast<int>(most)) +
                                        " where int4 weights are multiplied as float16 but that of " + rows.name(row) + ", input " +
                                        std::to_string(input) + " is " + std::to_string(scale));
  return Status();
}

Status no_memory(const WeightRows& rows) {
  return Status(Code::kMemory,
                "no memory for a packed weight of " + std::to_string(rows.count()) + " x " + std::to_string(rows.weight.columns));
}

class TileWeight : public SpmmCudaWeight {
 public:
  TileWeight(TileForm form) { weight_.form = form; }
  // Errors are those of nm_pack.
  Status pack(const WeightRows& rows, const PackedValues& values);
  Status pack_int4(const WeightRows& rows, const SpmmOptions& options);
  Status pack_tf32(const WeightRows& rows);
  Status upload(const std::shared_ptr<const CudaDevice>& device);
  Status multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const override;
  void to_dense(float* dense) const override;
  size_t bytes() const override { return tiles_.bytes(); }

 private:
  int64_t k_tiles() const { return ceil_div(weight_.in_padded, weight_.tile_inputs()); }
  size_t tile_bytes() const { return static_cast<size_t>(sk::tile_bytes(weight_.form, weight_.levels())); }
  bool lanes() const { return weight_.form == TileForm::kByteLanes || is_nibbles(weight_.form); }
  SpmmShape shape(int64_t tokens) const;

  PackedValues packed_ = {};
  WeightRows rows_ = {};
  AlignedBuffer values_, fields_, scales_, zeros_;
  int64_t group_ = 0;  // of int4
  CanonicalWeight weight_ = {};
  CudaBuffer tiles_;
};

Status TileWeight::pack(const WeightRows& rows, const PackedValues& values) {
  const PackedNm packed = canonical_layout(rows);
  const size_t element = size_of(values.type);
  rows_ = rows;
  rows_.weight.data = rows_.gate = nullptr;
  int64_t kept;
  if (!nm_kept(packed, &kept) || !values_.reserve(static_cast<size_t>(kept) * element) || !fields_.reserve(static_cast<size_t>(kept) / 4))
    return no_memory(rows);
  weight_ = {rows.count(), packed.in_padded, weight_.form, values_.as<uint8_t>(), fields_.as<uint32_t>()};
  packed_ = {values.type, values_.as<void>(), values.scale};
  return nm_pack(rows, packed, packed_, fields_.as<uint32_t>());
}

Status TileWeight::pack_int4(const WeightRows& rows, const SpmmOptions& options) {
  Int4Levels levels;
  if (Status status = int4_choose(rows, {options.group, options.zero_point, options.scale, options.gate_scale}, &levels); !status.ok())
    return status;
  if (Status status = check_scales(rows, levels); !status.ok()) return status;
  rows_ = rows;
  rows_.weight.data = rows_.gate = nullptr;
  group_ = options.group;
  PackedNm packed = canonical_layout(rows, group_);
  int64_t kept;
  if (!nm_kept(packed, &kept) || !values_.reserve(static_cast<size_t>(kept) / 2) || !fields_.reserve(static_cast<size_t>(kept) / 4) ||
      !scales_.reserve(static_cast<size_t>(nm_levels(packed)) * sizeof(Half)) ||
      !zeros_.reserve(options.zero_point ? static_cast<size_t>(nm_levels(packed)) : 0))
    return no_memory(rows);
  packed.values = values_.as<void>();
  packed.fields = fields_.as<uint32_t>();
  packed.levels.scales = scales_.as<Half>();
  packed.levels.zeros = options.zero_point ? zeros_.as<int8_t>() : nullptr;
  packed_ = {DType::kInt4, values_.as<void>(), nullptr};
  weight_ = {rows.count(),           packed.in_padded,     weight_.form,        values_.as<uint8_t>(),
             fields_.as<uint32_t>(), packed.levels.scales, packed.levels.zeros, static_cast<int>(packed.levels.inputs)};
  return nm_pack_int4(rows, packed, levels);
}

// In units of 16 bits: see tf32.h.
Status TileWeight::pack_tf32(const WeightRows& rows) {
  const int64_t units = 2 * tf32_padded(rows.weight.columns);
  int64_t all;
  if (!checked_multiply(rows.count(), units, &all) || !values_.reserve(static_cast<size_t>(all)) ||
      !fields_.reserve(static_cast<size_t>(all) / 8))
    return no_memory(rows);
  rows_ = rows;
  rows_.weight.data = rows_.gate = nullptr;
  weight_ = {rows.count(), units, weight_.form, values_.as<uint8_t>(), fields_.as<uint32_t>()};
  packed_ = {DType::kFloat32, values_.as<void>(), nullptr};
  return tf32_pack(rows, values_.as<float>(), fields_.as<uint32_t>());
}

Status TileWeight::upload(const std::shared_ptr<const CudaDevice>& device) {
  const int64_t row_blocks = ceil_div(weight_.rows, kTileRows);
  const auto bytes = static_cast<size_t>(row_blocks * k_tiles()) * tile_bytes();
  AlignedBuffer host;
  if (!host.reserve(bytes)) return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(bytes) + " bytes");
  parallel_for(row_blocks, kPackThreads, [&](int64_t block, int) {
    for (int64_t k = 0; k < k_tiles(); ++k)
      pack_tile(weight_, block * kTileRows, k * weight_.tile_inputs(),
                host.as<uint8_t>() + static_cast<size_t>(block * k_tiles() + k) * tile_bytes());
  });
  return upload_all(device, host.as<void>(), bytes, &tiles_);
}

// Large blocks where there are enough of them for every multiprocessor; lanes have none.
SpmmShape TileWeight::shape(int64_t tokens) const {
  if (tokens <= kMostFewTokens) return SpmmShape::kFew;
  if (lanes()) return SpmmShape::kMany;
  const CudaDevice& device = *tiles_.device();
  const int64_t large_blocks = ceil_div(weight_.rows, kLargeRows) * ceil_div(tokens, kManyTokens);
  return large_blocks >= device.multiprocessors() && device.shared_bytes() >= large_shared_bytes(weight_.form) ? SpmmShape::kLarge
                                                                                                               : SpmmShape::kMany;
}

Status TileWeight::multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const {
  const SpmmShape shape = this->shape(product.tokens);
  const auto& device = tiles_.shared_device();
  product.tiles = tiles_.as<void>();
  product.tile_bytes = static_cast<int>(tile_bytes());
  product.zero_points = weight_.zeros != nullptr;
  product.k_tiles = k_tiles();
  const int64_t few_blocks = ceil_div(weight_.rows, kTileRows) * ceil_div(product.tokens, kFewTokens);
  product.splits = shape == SpmmShape::kFew ? even_splits(*device, few_blocks, k_tiles()) : 1;
  product.x = x.as<void>();
  const DType type = lanes() ? DType::kFloat16 : packed_.type;
  product.x_pitch = product.in * static_cast<int64_t>(size_of(type));
  CudaBuffer rows, scales, partial;
  if (x_type != type || product.x_pitch % 16 != 0 || type == DType::kFloat32) {  // which is rounded
    product.x_pitch = round_up(product.x_pitch, 16);
    Status status = rows.reserve(device, static_cast<size_t>(product.tokens * product.x_pitch));
    if (status.ok() && (lanes() || packed_.type == DType::kInt8))
      status = scales.reserve(device, static_cast<size_t>(product.tokens) * sizeof(float));
    if (!status.ok()) return status;
    const int error = kernel.convert(x.as<void>(), x_type, product.tokens, product.in, rows.as<void>(), product.x_pitch, scales.as<float>(),
                                     device->stream());
    if (error != 0) return cuda_status(error, "converting x");
    product.x = rows.as<void>();
    product.x_scale = scales.as<float>();
  }
  if (Status status = reserve_partial(device, &product, &partial); !status.ok()) return status;
  return cuda_status(kernel.multiply(product, shape, device->stream()), kernel.name);
}

void TileWeight::to_dense(float* dense) const {
  if (packed_.type == DType::kFloat32) return tf32_unpack(rows_, values_.as<float>(), weight_.fields, dense);
  PackedNm packed = canonical_layout(rows_, group_);
  packed.fields = weight_.fields;
  packed.values = packed_.data;
  packed.levels.scales = weight_.scales;
  packed.levels.zeros = weight_.zeros;
  if (group_) return nm_unpack_int4(packed, rows_, dense);
  nm_unpack(packed, packed_, rows_, dense);
}

Status create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values, TileForm form,
              WeightPtr* result) {
  auto tiles = std::make_unique<TileWeight>(form);
  Status status = tiles->pack(rows, values);
  if (status.ok()) status = tiles->upload(device);
  if (status.ok()) *result = std::move(tiles);
  return status;
}

}  // namespace

int even_splits(const CudaDevice& device, int64_t blocks, int64_t k_tiles) {
  return static_cast<int>(std::clamp<int64_t>(2 * device.multiprocessors() / blocks, 1, std::max<int64_t>(1, k_tiles / 4)));
}

Status reserve_partial(const std::shared_ptr<const CudaDevice>& device, SpmmCudaProduct* product, CudaBuffer* partial) {
  if (product->splits == 1) return Status();
  product->partial_pitch = round_up(product->rows, 8);
  const auto bytes = static_cast<size_t>(product->splits * product->tokens * product->partial_pitch) * sizeof(float);
  Status status = partial->reserve(device, bytes);
  product->partial = partial->as<float>();
  return status;
}

Status tiles_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values, const SpmmOptions&,
                    WeightPtr* result) {
  return create(device, rows, values, TileForm::kHalves, result);
}

Status tf32_tiles_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues&, const SpmmOptions&,
                         WeightPtr* result) {
  auto tiles = std::make_unique<TileWeight>(TileForm::kHalves);
  Status status = tiles->pack_tf32(rows);
  if (status.ok()) status = tiles->upload(device);
  if (status.ok()) *result = std::move(tiles);
  return status;
}

Status byte_tiles_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values,
                         const SpmmOptions&, WeightPtr* result) {
  if (Status status = check_int8_inputs(rows.weight.columns, 2 * kMostInt8Kept); !status.ok()) return status;
  return create(device, rows, values, TileForm::kBytes, result);
}

Status byte_lanes_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values,
                         const SpmmOptions&, WeightPtr* result) {
  return create(device, rows, values, TileForm::kByteLanes, result);
}

Status nibble_lanes_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues&,
                           const SpmmOptions& options, WeightPtr* result) {
  auto tiles = std::make_unique<TileWeight>(options.zero_point ? TileForm::kNibbleLanesWithZeros : TileForm::kNibbleLanes);
  Status status = tiles->pack_int4(rows, options);
  if (status.ok()) status = tiles->upload(device);
  if (status.ok()) *result = std::move(tiles);
  return status;
}

}  // namespace sk

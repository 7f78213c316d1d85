#include <algorithm>
#include <cstring>
#include <utility>

#include "../../core/parallel.h"
#include "../pack.h"
#include "weight.h"

namespace sk {
namespace {

constexpr int kPackThreads = 1024;
constexpr int64_t kMostFewTokens = 64;        // up to here the weight is most of what moves
constexpr int64_t kMostInt8Inputs = 1 << 18;  // 127 * 127 * half of them < 2^31
constexpr uint32_t kAnyLegal = 0x44444444;    // keeps inputs 0 and 1 of each group

// A 2:4 weight [rows, in], row-major, as files keep it: what nm_pack makes with one lane and one k block.
struct CanonicalWeight {
  int64_t rows, in_padded;  // in_padded: a multiple of 32
  int element_bytes;
  const uint8_t* values;   // [rows][in_padded / 2] elements
  const uint32_t* fields;  // [rows][in_padded / 32]: two bits for each kept value, its place in its group of four

  int tile_inputs() const { return kTileRowBytes / element_bytes; }
};

// The metadata of 32 inputs, and of 16, from `k` on: four bits for each of their groups.
uint32_t metadata32(const CanonicalWeight& w, int64_t row, int64_t k) {
  return row < w.rows && k < w.in_padded ? w.fields[row * (w.in_padded / 32) + k / 32] : kAnyLegal;
}
uint32_t metadata16(const CanonicalWeight& w, int64_t row, int64_t k) { return metadata32(w, row, k) >> k % 32 & 0xFFFF; }

// The word of a lane for one step of a tile: kernel.h draws which rows and inputs it has.
uint32_t metadata_word(const CanonicalWeight& w, int64_t first_row, int64_t k, int lane) {
  const int g = lane / 4, t = lane % 4;
  if (w.element_bytes == 1) return metadata32(w, first_row + g + 8 * (t % 2), k + 32 * (t / 2));
  const int64_t row = first_row + g + 16 * (t / 2);
  return metadata16(w, row, k + 16 * (t % 2)) | metadata16(w, row + 8, k + 16 * (t % 2)) << 16;
}

void pack_tile(const CanonicalWeight& w, int64_t first_row, int64_t k0, uint8_t* tile) {
  std::memset(tile, 0, kTileValueBytes);
  for (int r = 0; r < kTileRows; ++r) {
    const int64_t row = first_row + r;
    for (int chunk = 0; chunk < 4 && row < w.rows; ++chunk) {
      const int64_t k = k0 + chunk * w.tile_inputs() / 4;  // a chunk of 16 bytes is what is kept of a quarter of the inputs
      if (k >= w.in_padded) break;
      const int position = (r % 2) * 4 + (chunk ^ (r / 2) % 4);
      std::memcpy(tile + (r / 2) * 128 + position * 16, w.values + (row * w.in_padded + k) / 2 * w.element_bytes, 16);
    }
  }
  uint8_t* metadata = tile + kTileValueBytes;
  const int rows_of_word = w.element_bytes == 1 ? 16 : 32;
  for (int row = 0; row < kTileRows; row += rows_of_word)
    for (int step = 0; step < 2; ++step)
      for (int lane = 0; lane < 32; ++lane, metadata += 4) {
        const uint32_t word = metadata_word(w, first_row + row, k0 + step * w.tile_inputs() / 2, lane);
        std::memcpy(metadata, &word, 4);
      }
}

PackedNm canonical_layout(const WeightRows& rows) {
  PackedNm packed;
  nm_layout(2, 4, rows, 1, 1, &packed);
  packed.lanes = 1;  // whatever the rows take turns in
  packed.k_block = packed.in_padded;
  return packed;
}

class TileWeight : public SpmmCudaWeight {
 public:
  // Errors are those of nm_pack.
  Status pack(const WeightRows& rows, const PackedValues& values);
  Status upload(const std::shared_ptr<const CudaDevice>& device);
  Status multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const override;
  void to_dense(float* dense) const override;
  size_t bytes() const override { return tiles_.bytes(); }

 private:
  int64_t k_tiles() const { return ceil_div(weight_.in_padded, weight_.tile_inputs()); }
  size_t tile_bytes() const { return static_cast<size_t>(sk::tile_bytes(weight_.element_bytes)); }
  SpmmShape shape(int64_t tokens) const;
  int splits(int64_t tokens) const;

  PackedValues packed_ = {};
  WeightRows rows_ = {};
  AlignedBuffer values_, fields_;
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
    return Status(Code::kMemory,
                  "no memory for a packed weight of " + std::to_string(rows.count()) + " x " + std::to_string(rows.weight.columns));
  weight_ = {rows.count(), packed.in_padded, static_cast<int>(element), values_.as<uint8_t>(), fields_.as<uint32_t>()};
  packed_ = {values.type, values_.as<void>(), values.scale};
  return nm_pack(rows, packed, packed_, fields_.as<uint32_t>());
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

// Large blocks where there are enough of them for every multiprocessor.
SpmmShape TileWeight::shape(int64_t tokens) const {
  if (tokens <= kMostFewTokens) return SpmmShape::kFew;
  const CudaDevice& device = *tiles_.device();
  const int64_t large_blocks = ceil_div(weight_.rows, kLargeRows) * ceil_div(tokens, kManyTokens);
  return large_blocks >= device.multiprocessors() && device.shared_bytes() >= large_shared_bytes(weight_.element_bytes) ? SpmmShape::kLarge
                                                                                                                        : SpmmShape::kMany;
}

// Few tokens make few blocks of threads: the inputs are split until there are two for each multiprocessor.
int TileWeight::splits(int64_t tokens) const {
  const int64_t blocks = ceil_div(weight_.rows, kTileRows) * ceil_div(tokens, kFewTokens);
  return static_cast<int>(std::clamp<int64_t>(2 * tiles_.device()->multiprocessors() / blocks, 1, std::max<int64_t>(1, k_tiles() / 4)));
}

Status TileWeight::multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const {
  const SpmmShape shape = this->shape(product.tokens);
  const auto& device = tiles_.shared_device();
  product.tiles = tiles_.as<void>();
  product.k_tiles = k_tiles();
  product.splits = shape == SpmmShape::kFew ? splits(product.tokens) : 1;
  product.x = x.as<void>();
  product.x_pitch = product.in * weight_.element_bytes;
  CudaBuffer rows, scales, partial;
  if (x_type != packed_.type || product.x_pitch % 16 != 0) {
    product.x_pitch = round_up(product.x_pitch, 16);
    Status status = rows.reserve(device, static_cast<size_t>(product.tokens * product.x_pitch));
    if (status.ok() && packed_.type == DType::kInt8) status = scales.reserve(device, static_cast<size_t>(product.tokens) * sizeof(float));
    if (!status.ok()) return status;
    const int error = kernel.convert(x.as<void>(), x_type, product.tokens, product.in, rows.as<void>(), product.x_pitch, scales.as<float>(),
                                     device->stream());
    if (error != 0) return cuda_status(error, "converting x");
    product.x = rows.as<void>();
    product.x_scale = scales.as<float>();
  }
  if (product.splits > 1) {
    product.partial_pitch = round_up(product.rows, 8);
    const auto bytes = static_cast<size_t>(product.splits * product.tokens * product.partial_pitch) * sizeof(float);
    if (Status status = partial.reserve(device, bytes); !status.ok()) return status;
    product.partial = partial.as<float>();
  }
  return cuda_status(kernel.multiply(product, shape, device->stream()), kernel.name);
}

void TileWeight::to_dense(float* dense) const {
  PackedNm packed = canonical_layout(rows_);
  packed.fields = weight_.fields;
  nm_unpack(packed, packed_, rows_, dense);
}

}  // namespace

Status tiles_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, const PackedValues& values,
                    WeightPtr* result) {
  if (values.type == DType::kInt8 && rows.weight.columns > kMostInt8Inputs)
    return Status(Code::kShape, "expected at most " + std::to_string(kMostInt8Inputs) + " inputs where their products are added as int32");
  auto tiles = std::make_unique<TileWeight>();
  Status status = tiles->pack(rows, values);
  if (status.ok()) status = tiles->upload(device);
  if (status.ok()) *result = std::move(tiles);
  return status;
}

}  // namespace sk

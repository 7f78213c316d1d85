#include <algorithm>
#include <cstring>
#include <utility>

#include "../../core/parallel.h"
#include "../pack.h"
#include "weight.h"

namespace sk {
namespace {

constexpr int kPackThreads = 1024;
constexpr int kTileInputs = kTileRowBytes / 2;
constexpr int64_t kMostFewTokens = 64;  // up to here the weight is most of what moves
constexpr uint32_t kAnyLegal = 0x4444;  // keeps inputs 0 and 1 of each group

// A 2:4 weight of 16-bit values [rows, in], row-major, as files keep it: what nm_pack makes with one lane and one k block.
struct CanonicalWeight {
  int64_t rows, in_padded;  // in_padded: a multiple of 32
  const uint16_t* values;   // [rows][in_padded / 2]
  const uint32_t* fields;   // [rows][in_padded / 32]: two bits for each kept value, its place in its group of four
};

// The metadata of 16 inputs from `k` on: four bits for each of their groups.
uint32_t metadata16(const CanonicalWeight& w, int64_t row, int64_t k) {
  if (row >= w.rows || k >= w.in_padded) return kAnyLegal;
  const uint32_t word = w.fields[row * (w.in_padded / 32) + k / 32];
  return k % 32 == 0 ? word & 0xFFFF : word >> 16;
}

void pack_tile(const CanonicalWeight& w, int64_t first_row, int64_t k0, uint8_t* tile) {
  std::memset(tile, 0, kTileValueBytes);
  for (int r = 0; r < kTileRows; ++r) {
    const int64_t row = first_row + r;
    for (int chunk = 0; chunk < 4 && row < w.rows; ++chunk) {
      const int64_t k = k0 + chunk * 16;  // a chunk of 16 bytes is what is kept of 16 inputs
      if (k >= w.in_padded) break;
      const int position = (r % 2) * 4 + (chunk ^ (r / 2) % 4);
      std::memcpy(tile + (r / 2) * 128 + position * 16, w.values + row * (w.in_padded / 2) + k / 2, 16);
    }
  }
  uint8_t* metadata = tile + kTileValueBytes;
  for (int block = 0; block < kTileRows / 32; ++block)
    for (int step = 0; step < 2; ++step)
      for (int lane = 0; lane < 32; ++lane, metadata += 4) {
        const int g = lane / 4, t = lane % 4;
        const int64_t row = first_row + block * 32 + g + 16 * (t / 2), k = k0 + step * 32 + 16 * (t % 2);
        const uint32_t word = metadata16(w, row, k) | metadata16(w, row + 8, k) << 16;
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
  Status pack(const WeightRows& rows, DType type);
  Status upload(const std::shared_ptr<const CudaDevice>& device);
  Status multiply(const SpmmCudaKernel& kernel, const CudaBuffer& x, DType x_type, SpmmCudaProduct product) const override;
  void to_dense(float* dense) const override;
  size_t bytes() const override { return tiles_.bytes(); }

 private:
  int64_t k_tiles() const { return ceil_div(weight_.in_padded, kTileInputs); }
  SpmmShape shape(int64_t tokens) const;
  int splits(int64_t tokens) const;

  DType type_ = DType::kFloat16;
  WeightRows rows_ = {};
  AlignedBuffer values_, fields_;
  CanonicalWeight weight_ = {};
  CudaBuffer tiles_;
};

Status TileWeight::pack(const WeightRows& rows, DType type) {
  const PackedNm packed = canonical_layout(rows);
  type_ = type;
  rows_ = rows;
  rows_.weight.data = rows_.gate = nullptr;
  int64_t kept;
  if (!nm_kept(packed, &kept) || !values_.reserve(static_cast<size_t>(kept) * 2) || !fields_.reserve(static_cast<size_t>(kept) / 4))
    return Status(Code::kMemory,
                  "no memory for a packed weight of " + std::to_string(rows.count()) + " x " + std::to_string(rows.weight.columns));
  weight_ = {rows.count(), packed.in_padded, values_.as<uint16_t>(), fields_.as<uint32_t>()};
  return nm_pack(rows, packed, {type, values_.as<void>(), nullptr}, fields_.as<uint32_t>());
}

Status TileWeight::upload(const std::shared_ptr<const CudaDevice>& device) {
  const int64_t row_blocks = ceil_div(weight_.rows, kTileRows);
  const auto bytes = static_cast<size_t>(row_blocks * k_tiles()) * kTileBytes;
  AlignedBuffer host;
  if (!host.reserve(bytes)) return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(bytes) + " bytes");
  parallel_for(row_blocks, kPackThreads, [&](int64_t block, int) {
    for (int64_t k = 0; k < k_tiles(); ++k)
      pack_tile(weight_, block * kTileRows, k * kTileInputs, host.as<uint8_t>() + (block * k_tiles() + k) * kTileBytes);
  });
  return upload_all(device, host.as<void>(), bytes, &tiles_);
}

// Large blocks where there are enough of them for every multiprocessor.
SpmmShape TileWeight::shape(int64_t tokens) const {
  if (tokens <= kMostFewTokens) return SpmmShape::kFew;
  const CudaDevice& device = *tiles_.device();
  const int64_t large_blocks = ceil_div(weight_.rows, kLargeRows) * ceil_div(tokens, kManyTokens);
  return large_blocks >= device.multiprocessors() && device.shared_bytes() >= kLargeSharedBytes ? SpmmShape::kLarge : SpmmShape::kMany;
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
  product.x_pitch = product.in * 2;
  CudaBuffer rows, partial;
  if (x_type != type_ || product.x_pitch % 16 != 0) {
    product.x_pitch = round_up(product.in, 8) * 2;
    if (Status status = rows.reserve(device, static_cast<size_t>(product.tokens * product.x_pitch)); !status.ok()) return status;
    const int error = kernel.convert(x.as<void>(), x_type, product.tokens, product.in, rows.as<void>(), product.x_pitch, device->stream());
    if (error != 0) return cuda_status(error, "converting x");
    product.x = rows.as<void>();
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
  nm_unpack(packed, {type_, values_.as<void>(), nullptr}, rows_, dense);
}

}  // namespace

Status tiles_create(const std::shared_ptr<const CudaDevice>& device, const WeightRows& rows, DType values, WeightPtr* result) {
  auto tiles = std::make_unique<TileWeight>();
  Status status = tiles->pack(rows, values);
  if (status.ok()) status = tiles->upload(device);
  if (status.ok()) *result = std::move(tiles);
  return status;
}

}  // namespace sk

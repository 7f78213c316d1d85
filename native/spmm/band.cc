#include "band.h"

#include <cstring>
#include <string>
#include <vector>

namespace sk {
namespace {

constexpr int kVenomColumns = 4;

std::string describe(const BandPattern& p) {
  const std::string pattern = std::to_string(p.n) + ":" + std::to_string(p.m);
  return "pattern " + pattern + (p.rows > 1 ? ", rows " + std::to_string(p.rows) : "") + (p.venom ? ", venom" : "");
}

// Which of the columns [k, k + inputs) any of the rows uses: used[i] != 0.
void used_columns(const std::vector<const float*>& band, int64_t k, int64_t inputs, uint8_t* used) {
  std::memset(used, 0, static_cast<size_t>(inputs));
  for (const float* row : band)
    for (int64_t i = 0; row && i < inputs; ++i) used[i] |= row[k + i] != 0;  // NaN counts
}

int count_of(const uint8_t* used, int64_t count) {
  int n = 0;
  for (int64_t i = 0; i < count; ++i) n += used[i];
  return n;
}

// Reads the packed rows [first, first + count) as float32.
std::vector<const float*> read_band(const WeightRows& rows, int64_t first, int64_t count, std::vector<float>* room) {
  const int64_t in = rows.weight.columns;
  room->resize(rows.weight.type == DType::kFloat32 ? 0 : static_cast<size_t>(count * in));
  std::vector<const float*> band;
  for (int64_t i = 0; i < count; ++i) band.push_back(rows.read(first + i, room->data() + (room->empty() ? 0 : i * in)));
  return band;
}

Status check_band(const std::vector<const float*>& band, const WeightRows& rows, int64_t first, const BandPattern& p) {
  const int64_t in = rows.weight.columns;
  std::vector<uint8_t> used(static_cast<size_t>(p.m));
  const auto refuse = [&](const std::string& what, int64_t group, int most, int count) {
    return Status(Code::kSparsity, "expected at most " + std::to_string(most) + " " + what + " in every group of " + std::to_string(p.m) +
                                       " (" + describe(p) + ") but group " + std::to_string(group) + " of " + rows.name(first) + " has " +
                                       std::to_string(count) + "; prune the weight first");
  };
  for (int64_t k = 0; k < in; k += p.m) {
    const int64_t inputs = std::min<int64_t>(p.m, in - k);
    used_columns(band, k, inputs, used.data());
    const int columns = count_of(used.data(), inputs), most = p.venom ? kVenomColumns : p.n;
    const char* what = p.rows == 1 ? "non-zero weights" : "columns with a non-zero weight in a band of rows";
    if (columns > most) return refuse(what, k / p.m, most, columns);
    for (const float* row : band) {
      if (!p.venom || row == nullptr) continue;
      int own = 0;
      for (int64_t i = 0; i < inputs; ++i) own += row[k + i] != 0;
      if (own > p.n) return refuse("non-zero weights of a row", k / p.m, p.n, own);
    }
  }
  return Status();
}

struct Grid {
  int64_t k_blocks, block_bands;  // bands of a full row block
};
Grid grid_of(const PackedBands& p) { return {ceil_div(p.in_padded, p.k_block), p.row_block / p.height}; }

// Calls visit(number in counts, first packed row, first input, inputs) for the bands of a row block, in the order of memory.
template <class F>
void for_each_band(const PackedBands& p, int64_t first_row, F&& visit) {
  const int64_t end = std::min(first_row + p.row_block, p.out_padded);
  int64_t number = first_row / p.height * grid_of(p).k_blocks;
  for (int64_t k = 0; k < p.in_padded; k += p.k_block)
    for (int64_t row = first_row; row < end; row += p.height) visit(number++, row, k, std::min(p.k_block, p.in - k));
}

}  // namespace

// The rows of a band are neighbours in the weight, and so in its copy without a gate.
Status band_check(const WeightRows& rows, const BandPattern& pattern) {
  for (const bool of_gate : {false, true}) {
    if (of_gate && !rows.gated) break;
    WeightRows plain = rows;
    plain.gated = false;
    if (of_gate) plain.weight.data = rows.gate;
    const Status status = for_each_block(rows.weight.rows, pattern.rows, [&](int64_t first, int64_t end) {
      std::vector<float> room;
      return check_band(read_band(plain, first, end - first, &room), plain, first, pattern);
    });
    if (!status.ok()) return of_gate ? Status(status.code(), "the gate: " + status.message()) : status;
  }
  return Status();
}

Status band_pack(const WeightRows& rows, int height, int panel_vectors, int64_t row_block, PackedValues* values, PackedBands* packed,
                 BandStorage* storage) {
  const int64_t in = rows.weight.columns;
  PackedBands& p = *packed;
  // 128 inputs of a panel of three vectors of eight lanes are 12 KB.
  const int64_t k_block = panel_vectors * rows.lanes > 32 ? 64 : 128;
  static_cast<PackedWeight&>(p) = {rows.lanes, in,           round_up(in, rows.lanes), rows.weight.rows, rows.count(), k_block,
                                   row_block,  panel_vectors};
  p.height = height;
  const int64_t blocks = ceil_div(p.out_padded, row_block), cells = p.out_padded / height * grid_of(p).k_blocks;
  const size_t blocks_bytes = static_cast<size_t>(blocks + 1) * sizeof(int64_t), counts_bytes = static_cast<size_t>(cells);
  if (!storage->blocks.reserve(blocks_bytes) || !storage->counts.reserve(counts_bytes))
    return Status(Code::kMemory, "no memory for a packed weight");
  int64_t* block = storage->blocks.as<int64_t>();
  uint8_t* counts = storage->counts.as<uint8_t>();

  const auto band_rows = [&](int64_t row, std::vector<float>* room) { return read_band(rows, row, height, room); };
  (void)for_each_block(p.out_padded, row_block, [&](int64_t first, int64_t) {
    std::vector<float> room;
    std::vector<uint8_t> used(static_cast<size_t>(k_block));
    int64_t columns = 0;
    for_each_band(p, first, [&](int64_t number, int64_t row, int64_t k, int64_t inputs) {
      used_columns(band_rows(row, &room), k, inputs, used.data());
      counts[number] = static_cast<uint8_t>(count_of(used.data(), inputs));
      columns += counts[number];
    });
    block[first / row_block] = columns;
    return Status();
  });
  int64_t total = 0;
  for (int64_t b = 0; b <= blocks; ++b) {
    const int64_t columns = b < blocks ? block[b] : 0;
    block[b] = total;
    total += columns;
  }
  const size_t kept = static_cast<size_t>(total) * static_cast<size_t>(height);
  const size_t values_bytes = (kept + static_cast<size_t>(rows.lanes)) * size_of(values->type);
  if (!storage->indices.reserve(static_cast<size_t>(total)) || !storage->values.reserve(values_bytes))
    return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(kept) + " values");
  storage->bytes = blocks_bytes + counts_bytes + static_cast<size_t>(total) + values_bytes;
  std::memset(storage->values.as<char>() + kept * size_of(values->type), 0, static_cast<size_t>(rows.lanes) * size_of(values->type));
  values->data = storage->values.as<void>();
  p.blocks = block;
  p.counts = counts;
  p.indices = storage->indices.as<uint8_t>();
  p.values = values->data;

  return for_each_block(p.out_padded, row_block, [&](int64_t first, int64_t) {
    std::vector<float> room;
    std::vector<uint8_t> used(static_cast<size_t>(k_block));
    int64_t column = block[first / row_block];
    Status status;
    for_each_band(p, first, [&](int64_t, int64_t row, int64_t k, int64_t inputs) {
      const auto band = band_rows(row, &room);
      used_columns(band, k, inputs, used.data());
      for (int64_t i = 0; i < inputs; ++i) {
        if (!used[static_cast<size_t>(i)]) continue;
        for (int64_t r = 0; r < height; ++r) {
          const float* dense = band[static_cast<size_t>(r)];
          const bool quantise = values->type == DType::kInt8 && rows.weight.type != DType::kInt8 && dense;
          if (!values->write(column * height + r, dense ? dense[k + i] : 0, quantise ? 1 / values->scale[row + r] : 1))
            status = too_large(rows, row + r, k + i, values->type);
        }
        storage->indices.as<uint8_t>()[column++] = static_cast<uint8_t>(i);
      }
    });
    return status;
  });
}

void band_unpack(const PackedBands& p, const PackedValues& values, const WeightRows& rows, float* dense) {
  std::memset(dense, 0, static_cast<size_t>(p.out * p.in) * (rows.gated ? 2 : 1) * sizeof(float));
  for (int64_t first = 0; first < p.out_padded; first += p.row_block) {
    int64_t column = p.blocks[first / p.row_block];
    for_each_band(p, first, [&](int64_t number, int64_t row, int64_t k, int64_t) {
      for (const int64_t end = column + p.counts[number]; column < end; ++column)
        for (int64_t r = 0; r < p.height; ++r)
          if (const int64_t to = rows.place(row + r); to >= 0)
            dense[to * p.in + k + p.indices[column]] = values.read(column * p.height + r, row + r);
    });
  }
}

}  // namespace sk

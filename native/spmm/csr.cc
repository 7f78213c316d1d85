#include "csr.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace sk {
namespace {

// Where the accumulators of a row of a row block lie: in quad order, as those of N:M rows, so that finish.h serves both.
int64_t slot_of(int64_t row, int lanes) { return row / lanes * lanes + row % lanes % 4 * (lanes / 4) + row % lanes / 4; }
int64_t row_of(int64_t slot, int lanes) { return slot / lanes * lanes + slot % lanes % (lanes / 4) * 4 + slot % lanes / (lanes / 4); }

struct Grid {
  int64_t row_blocks, k_blocks;
};
Grid grid_of(const PackedCsr& p) { return {ceil_div(p.out_padded, p.row_block), ceil_div(p.in_padded, p.k_block)}; }

// The rows of one row block as float32.
class BlockRows {
 public:
  BlockRows(const WeightRows& rows, int64_t first, int64_t end) {
    const int64_t in = rows.weight.columns;
    room_.resize(rows.weight.type == DType::kFloat32 ? 0 : static_cast<size_t>((end - first) * in));
    for (int64_t row = first; row < end; ++row) rows_.push_back(rows.read(row, room_.data() + (room_.empty() ? 0 : (row - first) * in)));
  }
  // From input k on; null for a row of zeros.
  const float* at(int64_t row, int64_t k) const {
    const float* x = rows_[static_cast<size_t>(row)];
    return x ? x + k : nullptr;
  }

 private:
  std::vector<float> room_;
  std::vector<const float*> rows_;
};

// Calls visit(cell number, first row, rows, first input, inputs) for the cells of one row block.
template <class F>
void for_each_cell(const PackedCsr& p, int64_t row_block, F&& visit) {
  const Grid grid = grid_of(p);
  const int64_t row = row_block * p.row_block;
  for (int64_t k = 0; k < grid.k_blocks; ++k)
    visit(row_block * grid.k_blocks + k, row, std::min(p.row_block, p.out_padded - row), k * p.k_block,
          std::min(p.k_block, p.in - k * p.k_block));
}

int64_t nonzeros(const float* x, int64_t count) {
  int64_t n = 0;
  for (int64_t i = 0; x && i < count; ++i) n += x[i] != 0;  // NaN counts
  return n;
}

}  // namespace

Status csr_pack(const WeightRows& rows, int most_vectors, int64_t row_block, PackedValues* values, PackedCsr* packed, CsrStorage* storage) {
  const DType type = values->type;
  const int64_t out = rows.weight.rows, in = rows.weight.columns;
  const int lanes = rows.lanes;
  std::vector<int64_t> kept_of_row(static_cast<size_t>(rows.count()));
  (void)for_each_block(rows.count(), 64, [&](int64_t first, int64_t end) {
    return for_each_row(rows, first, end, [&](int64_t row, const float* x) {
      kept_of_row[static_cast<size_t>(row)] = nonzeros(x, in);
      return Status();
    });
  });
  const int64_t kept = std::accumulate(kept_of_row.begin(), kept_of_row.end(), int64_t{0});

  // The sparser the rows, the longer the k blocks, so that loading and storing accumulators is repaid: 24 or 32 KB of panel for AVX2 and
  // AVX-512.
  const double density = static_cast<double>(kept) / (static_cast<double>(rows.count()) * static_cast<double>(in));
  const bool wide = lanes > 8, sparse = density < (wide ? 0.4 : 0.2);
  const int vectors = wide && sparse ? std::min(4, most_vectors) : most_vectors;
  const int64_t k_block = sparse ? 128 : wide ? 64 : 96;
  PackedCsr& p = *packed;
  static_cast<PackedWeight&>(p) = {lanes, in, round_up(in, lanes), out, rows.count(), k_block, row_block, vectors};
  const Grid grid = grid_of(p);
  const int64_t cells = grid.row_blocks * grid.k_blocks;

  std::vector<CsrCell> cell(static_cast<size_t>(cells + 1));
  (void)for_each_block(p.out_padded, row_block, [&](int64_t first, int64_t end) {
    const BlockRows dense(rows, first, end);
    for_each_cell(p, first / row_block, [&](int64_t c, int64_t, int64_t count, int64_t k, int64_t inputs) {
      for (int64_t r = 0; r < count; ++r) {
        const int64_t n = nonzeros(dense.at(r, k), inputs);
        cell[static_cast<size_t>(c)].rows += n > 0;
        cell[static_cast<size_t>(c)].values += n;
      }
    });
    return Status();
  });
  CsrCell at = {0, 0};  // sizes become offsets
  for (CsrCell& c : cell) c = std::exchange(at, {at.rows + c.rows, at.values + c.values});

  const size_t counts_bytes = static_cast<size_t>(cell.back().rows) * 2, rows_bytes = counts_bytes + kCsrSlack * 2;
  const size_t values_bytes = static_cast<size_t>(kept + lanes) * size_of(type), indices_bytes = static_cast<size_t>(kept) + kCsrSlack;
  const size_t cells_bytes = cell.size() * sizeof(CsrCell);
  if (!storage->cells.reserve(cells_bytes) || !storage->rows.reserve(rows_bytes) || !storage->counts.reserve(counts_bytes) ||
      !storage->values.reserve(values_bytes) || !storage->indices.reserve(indices_bytes))
    return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(kept) + " non-zeros");
  storage->bytes = cells_bytes + rows_bytes + counts_bytes + values_bytes + indices_bytes;
  std::memcpy(storage->cells.as<void>(), cell.data(), cells_bytes);
  std::memset(storage->rows.as<char>() + counts_bytes, 0, kCsrSlack * 2);
  std::memset(storage->indices.as<char>() + kept, 0, kCsrSlack);
  std::memset(storage->values.as<char>() + static_cast<size_t>(kept) * size_of(type), 0, static_cast<size_t>(lanes) * size_of(type));
  p.cells = storage->cells.as<CsrCell>();
  p.rows = storage->rows.as<uint16_t>();
  p.counts = storage->counts.as<uint16_t>();
  p.values = values->data = storage->values.as<void>();
  p.indices = storage->indices.as<uint8_t>();

  const bool quantise = type == DType::kInt8 && rows.weight.type != DType::kInt8;
  return for_each_block(p.out_padded, row_block, [&](int64_t first, int64_t end) {
    const BlockRows dense(rows, first, end);
    std::vector<std::pair<int64_t, int64_t>> order;  // count, row
    Status status;
    for_each_cell(p, first / row_block, [&](int64_t c, int64_t row, int64_t count, int64_t k, int64_t inputs) {
      order.clear();
      for (int64_t r = 0; r < count; ++r)
        if (const int64_t n = nonzeros(dense.at(r, k), inputs); n > 0) order.push_back({n, r});
      std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
      CsrCell to = p.cells[c];
      for (const auto& [kept_here, r] : order) {
        storage->rows.as<uint16_t>()[to.rows] = static_cast<uint16_t>(slot_of(r, lanes));
        storage->counts.as<uint16_t>()[to.rows++] = static_cast<uint16_t>(kept_here);
        const float* x = dense.at(r, k);
        const float inverse_scale = quantise ? 1 / values->scale[row + r] : 1;
        for (int64_t i = 0; i < inputs; ++i) {
          if (x[i] == 0) continue;
          if (!values->write(to.values, x[i], inverse_scale)) status = too_large(rows, row + r, k + i, type);
          storage->indices.as<uint8_t>()[to.values++] = static_cast<uint8_t>(i);
        }
      }
    });
    return status;
  });
}

void csr_unpack(const PackedCsr& p, const PackedValues& values, const WeightRows& rows, float* dense) {
  std::memset(dense, 0, static_cast<size_t>(p.out * p.in) * (rows.gated ? 2 : 1) * sizeof(float));
  for (int64_t block = 0; block < grid_of(p).row_blocks; ++block)
    for_each_cell(p, block, [&](int64_t c, int64_t row, int64_t, int64_t k, int64_t) {
      int64_t v = p.cells[c].values;
      for (int64_t r = p.cells[c].rows; r < p.cells[c + 1].rows; ++r) {
        const int64_t from = row + row_of(p.rows[r], p.lanes), to = rows.place(from) * p.in + k;
        for (const int64_t end = v + p.counts[r]; v < end; ++v) dense[to + p.indices[v]] = values.read(v, from);
      }
    });
}

}  // namespace sk

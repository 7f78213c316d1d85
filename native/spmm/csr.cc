#include "csr.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "../core/parallel.h"

namespace sk {
namespace {

constexpr int kPackThreads = 1024;

// Where the accumulators of a row of a row block lie: in quad order, as those of N:M rows, so that finish.h serves both.
int64_t slot_of(int64_t row, int lanes) { return row / lanes * lanes + row % lanes % 4 * (lanes / 4) + row % lanes / 4; }
int64_t row_of(int64_t slot, int lanes) { return slot / lanes * lanes + slot % lanes % (lanes / 4) * 4 + slot % lanes / (lanes / 4); }

struct Grid {
  int64_t row_blocks, k_blocks;
};
Grid grid_of(const PackedCsr& p) { return {ceil_div(p.out, p.row_block), ceil_div(p.in_padded, p.k_block)}; }

const float* row_of_weight(const MatrixView& weight, int64_t row) { return static_cast<const float*>(weight.data) + row * weight.columns; }

// Calls visit(cell number, first row, rows, first input, inputs) for the cells of one row block.
template <class F>
void for_each_cell(const PackedCsr& p, int64_t row_block, F&& visit) {
  const Grid grid = grid_of(p);
  const int64_t row = row_block * p.row_block;
  for (int64_t k = 0; k < grid.k_blocks; ++k)
    visit(row_block * grid.k_blocks + k, row, std::min(p.row_block, p.out - row), k * p.k_block, std::min(p.k_block, p.in - k * p.k_block));
}

int64_t nonzeros(const float* x, int64_t count) {
  int64_t n = 0;
  for (int64_t i = 0; i < count; ++i) n += x[i] != 0;  // NaN counts
  return n;
}

}  // namespace

Status csr_pack(const MatrixView& weight, int lanes, int most_vectors, int64_t row_block, PackedCsr* packed, CsrStorage* storage) {
  const int64_t out = weight.rows, in = weight.columns;
  std::vector<int64_t> kept_of_row(static_cast<size_t>(out));
  parallel_for(ceil_div(out, 64), kPackThreads, [&](int64_t task, int) {
    for (int64_t row = task * 64; row < std::min(out, (task + 1) * 64); ++row)
      kept_of_row[static_cast<size_t>(row)] = nonzeros(row_of_weight(weight, row), in);
  });
  const int64_t kept = std::accumulate(kept_of_row.begin(), kept_of_row.end(), int64_t{0});

  // The sparser the rows, the longer the k blocks, so that loading and storing accumulators is repaid; 16 KB of panel each.
  const double density = static_cast<double>(kept) / (static_cast<double>(out) * static_cast<double>(in));
  const int vectors = density > 0.3 ? most_vectors : std::min(4, most_vectors);
  const int64_t k_block = vectors > 4 ? 64 : 128;
  PackedCsr& p = *packed;
  static_cast<PackedWeight&>(p) = {lanes, in, round_up(in, lanes), out, round_up(out, lanes), k_block, row_block, vectors};
  const Grid grid = grid_of(p);
  const int64_t cells = grid.row_blocks * grid.k_blocks;

  std::vector<CsrCell> cell(static_cast<size_t>(cells + 1));
  parallel_for(grid.row_blocks, kPackThreads, [&](int64_t block, int) {
    for_each_cell(p, block, [&](int64_t c, int64_t row, int64_t rows, int64_t k, int64_t inputs) {
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t n = nonzeros(row_of_weight(weight, row + r) + k, inputs);
        cell[static_cast<size_t>(c)].rows += n > 0;
        cell[static_cast<size_t>(c)].values += n;
      }
    });
  });
  CsrCell at = {0, 0};  // sizes become offsets
  for (CsrCell& c : cell) c = std::exchange(at, {at.rows + c.rows, at.values + c.values});

  const size_t rows_bytes = static_cast<size_t>(cell.back().rows) * 2, values_bytes = static_cast<size_t>(kept) * 4;
  const size_t cells_bytes = cell.size() * sizeof(CsrCell), indices_bytes = static_cast<size_t>(kept);
  if (!storage->cells.reserve(cells_bytes) || !storage->rows.reserve(rows_bytes) || !storage->counts.reserve(rows_bytes) ||
      !storage->values.reserve(values_bytes) || !storage->indices.reserve(indices_bytes))
    return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(kept) + " non-zeros");
  storage->bytes = cells_bytes + 2 * rows_bytes + values_bytes + indices_bytes;
  std::memcpy(storage->cells.as<void>(), cell.data(), cells_bytes);
  p.cells = storage->cells.as<CsrCell>();
  p.rows = storage->rows.as<uint16_t>();
  p.counts = storage->counts.as<uint16_t>();
  p.values = storage->values.as<float>();
  p.indices = storage->indices.as<uint8_t>();

  parallel_for(grid.row_blocks, kPackThreads, [&](int64_t block, int) {
    std::vector<std::pair<int64_t, int64_t>> order;  // count, row
    for_each_cell(p, block, [&](int64_t c, int64_t row, int64_t rows, int64_t k, int64_t inputs) {
      order.clear();
      for (int64_t r = 0; r < rows; ++r)
        if (const int64_t n = nonzeros(row_of_weight(weight, row + r) + k, inputs); n > 0) order.push_back({n, r});
      std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
      CsrCell to = p.cells[c];
      for (const auto& [count, r] : order) {
        storage->rows.as<uint16_t>()[to.rows] = static_cast<uint16_t>(slot_of(r, lanes));
        storage->counts.as<uint16_t>()[to.rows++] = static_cast<uint16_t>(count);
        const float* x = row_of_weight(weight, row + r) + k;
        for (int64_t i = 0; i < inputs; ++i) {
          if (x[i] == 0) continue;
          storage->values.as<float>()[to.values] = x[i];
          storage->indices.as<uint8_t>()[to.values++] = static_cast<uint8_t>(i);
        }
      }
    });
  });
  return Status();
}

void csr_unpack(const PackedCsr& p, float* dense) {
  std::memset(dense, 0, static_cast<size_t>(p.out * p.in) * sizeof(float));
  for (int64_t block = 0; block < grid_of(p).row_blocks; ++block)
    for_each_cell(p, block, [&](int64_t c, int64_t row, int64_t, int64_t k, int64_t) {
      int64_t v = p.cells[c].values;
      for (int64_t r = p.cells[c].rows; r < p.cells[c + 1].rows; ++r)
        for (const int64_t end = v + p.counts[r]; v < end; ++v)
          dense[(row + row_of(p.rows[r], p.lanes)) * p.in + k + p.indices[v]] = p.values[v];
    });
}

}  // namespace sk

#include <algorithm>
#include <cstring>
#include <utility>

#include "planes.h"

namespace sk {
namespace {

constexpr int64_t kPanelBytes = 32768;  // of the widest strip and one k block: what a strip reads again and again
constexpr int64_t kMostRows = 256;      // of a row block: its sums stay in L2 from k block to k block

// The inputs [k, end) that a block of rows keeps.
void kept_inputs(const PlanesOptions& o, int64_t row, int64_t k, int64_t end, std::vector<int64_t>* inputs) {
  inputs->clear();
  const int64_t rows = std::min<int64_t>(o.block, o.out - row);
  for (int64_t i = k; i < end; ++i)
    for (int64_t r = 0; r < rows; ++r)
      if (o.weight[(row + r) * o.in + i] != 0) {  // NaN is kept
        inputs->push_back(i);
        break;
      }
}

}  // namespace

Status PlanesPlan::pack(const PlanesOptions& o) {
  const int block = o.block;
  PackedPlanes& p = weight_;
  p.in = o.in;
  p.out = o.out;
  const int64_t most_inputs = std::min<int64_t>(256, kPanelBytes / (4 * kernel_->lanes * kernel_->widest));
  const int64_t k_blocks = ceil_div(o.in, most_inputs), row_blocks = ceil_div(o.out, kMostRows);
  p.k_block = ceil_div(o.in, k_blocks);
  p.row_block = kMostRows;
  // Two passes over the cells: sizes, then contents.
  const auto for_each_block = [&](auto&& use) {
    std::vector<int64_t> inputs;
    for (int64_t rb = 0; rb < row_blocks; ++rb)
      for (int64_t kb = 0; kb < k_blocks; ++kb)
        for (int64_t row = rb * kMostRows; row < std::min(o.out, (rb + 1) * kMostRows); row += block) {
          kept_inputs(o, row, kb * p.k_block, std::min(o.in, (kb + 1) * p.k_block), &inputs);
          if (!inputs.empty() || kb == 0 || kb == k_blocks - 1) use(rb * k_blocks + kb, row, kb * p.k_block, inputs);
        }
  };
  std::vector<PlanesCell> cells(static_cast<size_t>(row_blocks * k_blocks + 1));
  for_each_block([&](int64_t cell, int64_t, int64_t, const std::vector<int64_t>& inputs) {
    ++cells[static_cast<size_t>(cell)].rows;
    cells[static_cast<size_t>(cell)].values += static_cast<int64_t>(inputs.size());
  });
  PlanesCell at = {0, 0};  // sizes become offsets
  for (PlanesCell& c : cells) c = std::exchange(at, {at.rows + c.rows, at.values + c.values});
  stored_ = at.values;

  const size_t rows_bytes = static_cast<size_t>(at.rows) * 2, values_bytes = static_cast<size_t>(stored_ * block) * 4;
  const size_t cells_bytes = cells.size() * sizeof(PlanesCell), bias_bytes = static_cast<size_t>(o.out) * 4;
  if (!cells_.reserve(cells_bytes) || !rows_.reserve(rows_bytes) || !counts_.reserve(rows_bytes) || !values_.reserve(values_bytes) ||
      !indices_.reserve(static_cast<size_t>(stored_)) || !bias_.reserve(bias_bytes))
    return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(stored_) + " blocks");
  bytes_ = cells_bytes + 2 * rows_bytes + values_bytes + static_cast<size_t>(stored_) + bias_bytes;
  std::memcpy(cells_.as<void>(), cells.data(), cells_bytes);
  if (o.bias)
    std::memcpy(bias_.as<void>(), o.bias, bias_bytes);
  else
    std::memset(bias_.as<void>(), 0, bias_bytes);
  p.cells = cells_.as<PlanesCell>();
  p.rows = rows_.as<uint16_t>();
  p.counts = counts_.as<uint16_t>();
  p.values = values_.as<float>();
  p.indices = indices_.as<uint8_t>();
  p.bias = bias_.as<float>();

  struct Row {
    int64_t row;
    std::vector<int64_t> inputs;
  };
  std::vector<Row> of_cell;
  int64_t current = 0;
  PlanesCell to = {0, 0};
  const auto flush = [&] {
    // Rows of equal counts follow each other, so that the branch at the end of each is predicted.
    std::stable_sort(of_cell.begin(), of_cell.end(), [](const Row& a, const Row& b) { return a.inputs.size() > b.inputs.size(); });
    const int64_t k = current % k_blocks * p.k_block;
    for (const Row& r : of_cell) {
      rows_.as<uint16_t>()[to.rows] = static_cast<uint16_t>(r.row % kMostRows / block);
      counts_.as<uint16_t>()[to.rows++] = static_cast<uint16_t>(r.inputs.size());
      for (const int64_t i : r.inputs) {
        for (int64_t b = 0; b < block; ++b) {
          const float w = r.row + b < o.out ? o.weight[(r.row + b) * o.in + i] : 0;
          kept_ += w != 0;
          values_.as<float>()[to.values * block + b] = w;
        }
        indices_.as<uint8_t>()[to.values++] = static_cast<uint8_t>(i - k);
      }
    }
    of_cell.clear();
  };
  for_each_block([&](int64_t cell, int64_t row, int64_t, const std::vector<int64_t>& inputs) {
    if (cell != current) flush();
    current = cell;
    of_cell.push_back({row, inputs});
  });
  flush();
  return Status();
}

}  // namespace sk

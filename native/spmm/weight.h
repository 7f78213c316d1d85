// What is packed: the rows of a dense weight, and the values that a plan stores.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "../core/status.h"
#include "../core/tensor.h"

namespace sk {

// The rows of a weight [out, in] in the order in which they are packed, then rows of zeros up to whole row groups. With a gate (of the type
// and shape of the weight) row groups of the gate and of the weight take turns.
struct WeightRows {
  MatrixView weight;
  const void* gate;
  bool gated;
  int lanes;

  int64_t count() const { return round_up(weight.rows, lanes) * (gated ? 2 : 1); }
  bool of_gate(int64_t row) const { return gated && row / lanes % 2 == 0; }
  // The row of the gate or weight; from weight.rows on: zeros.
  int64_t source(int64_t row) const { return gated ? row / (2 * lanes) * lanes + row % lanes : row; }
  // Where the row belongs in a dense matrix of the rows of the weight, then those of the gate; -1: nowhere.
  int64_t place(int64_t row) const { return source(row) >= weight.rows ? -1 : source(row) + (of_gate(row) ? weight.rows : 0); }
  // For messages: "row 5", "row 5 of the gate".
  std::string name(int64_t row) const { return "row " + std::to_string(source(row)) + (of_gate(row) ? " of the gate" : ""); }
  // The row as float32, int8 as its integers: where it lies, or copied to `room` [in]; null: zeros.
  const float* read(int64_t row, float* room) const;

  // Writes vector[out] and gate_vector[out] (null: zeros) to packed[count()].
  void pack_vector(const float* vector, const float* gate_vector, float* packed) const;
};

// The rows of a weight alone, one after the other.
inline WeightRows plain_rows(const MatrixView& weight) { return {weight, nullptr, false, 1}; }

// Calls visit(row, float32 of the row or null for zeros) for the packed rows [first, end), until one fails.
template <class F>
Status for_each_row(const WeightRows& rows, int64_t first, int64_t end, F&& visit) {
  std::vector<float> room(rows.weight.type == DType::kFloat32 ? 0 : static_cast<size_t>(rows.weight.columns));
  Status status;
  for (int64_t row = first; row < end && status.ok(); ++row) status = visit(row, rows.read(row, room.data()));
  return status;
}

// The same in parallel, visit_block(first, end) -> Status for blocks of rows; the status of the first block that fails.
template <class F>
Status for_each_block(int64_t rows, int64_t block_rows, F&& visit_block) {
  constexpr int kPackThreads = 1024;
  const int64_t blocks = ceil_div(rows, block_rows);
  std::vector<Status> status(static_cast<size_t>(blocks));
  parallel_for(blocks, kPackThreads, [&](int64_t block, int) {
    status[static_cast<size_t>(block)] = visit_block(block * block_rows, std::min((block + 1) * block_rows, rows));
  });
  const auto failed = std::find_if(status.begin(), status.end(), [](const Status& s) { return !s.ok(); });
  return failed == status.end() ? Status() : *failed;
}

// What a plan stores its values as. A quantised value q stands for scale[row] * q.
struct PackedValues {
  DType type;
  void* data;    // [kept]
  float* scale;  // [packed rows] where type is int8, else null

  // False: x is finite, but too large for the type.
  [[nodiscard]] bool write(int64_t at, float x, float inverse_scale) const;
  float read(int64_t at, int64_t row) const;
};

// The scale of each packed row that lets its largest magnitude become 127. NaN and infinity are errors.
Status choose_scales(const WeightRows& rows, float* scale);

// The error of a weight that write() refuses.
Status too_large(const WeightRows& rows, int64_t row, int64_t column, DType type);

}  // namespace sk

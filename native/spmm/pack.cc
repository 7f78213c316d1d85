#include "pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "../core/memory.h"

namespace sk {
namespace {

// Where kept weight j of a row's k block lives: values[value + j / 4 * lanes * 4 + j % 4], its field in fields[word + j / F * lanes].
struct RowInBlock {
  int64_t value, word;
};

RowInBlock locate(const PackedNm& p, int64_t row, int64_t k, int64_t inputs) {
  const int64_t fields = 32 / nm_field_bits(p.m);
  const int64_t first = row / p.row_block * p.row_block;
  const int64_t rows = std::min(p.row_block, p.out_padded - first);
  const int64_t lane = (row - first) % p.lanes;
  const int64_t quad = p.by_bytes ? lane : lane % 4 * (p.lanes / 4) + lane / 4;
  const int64_t kept = inputs / p.m * p.n;
  const int64_t group = first * (p.in_padded / p.m * p.n) + rows * (k / p.m * p.n) + (row - first - lane) * kept;
  return {group + quad * 4, group / fields + lane};
}

// Where in its word the field of kept weight j lies.
int64_t field_shift(const PackedNm& p, int bits, int64_t j) {
  const int64_t field = j % (32 / bits);
  return p.by_bytes ? field % 4 * 8 + field / 4 * bits : field * bits;
}

// Calls visit(k, inputs) for each k block.
template <class F>
void for_each_k_block(const PackedNm& p, F&& visit) {
  for (int64_t k = 0; k < p.in_padded; k += p.k_block) visit(k, std::min(p.k_block, p.in_padded - k));
}

// Positions of the kept weights of one group, ascending: its non-zeros, topped up to n by the lowest zero positions.
// Returns the number of non-zeros; more than n means that the group breaks the pattern.
int kept_positions(const float* group, int size, int n, int m, int (&position)[32]) {
  bool keep[32] = {};
  int nonzero = 0;
  for (int i = 0; i < size; ++i) nonzero += keep[i] = group[i] != 0;  // NaN counts
  for (int i = 0, kept = nonzero; i < m && kept < n; ++i)
    if (!keep[i]) keep[i] = true, ++kept;
  for (int i = 0, j = 0; i < m && j < n; ++i)
    if (keep[i]) position[j++] = i;
  return nonzero;
}

Status too_dense(const WeightRows& rows, int64_t row, int64_t group, int count, const PackedNm& p) {
  const std::string pattern = std::to_string(p.n) + ":" + std::to_string(p.m);
  return Status(Code::kSparsity, "expected at most " + std::to_string(p.n) + " non-zero weights in every group of " + std::to_string(p.m) +
                                     " (pattern " + pattern + ") but " + rows.name(row) + ", group " + std::to_string(group) + " (inputs " +
                                     std::to_string(group * p.m) + ".." + std::to_string(std::min(p.in, (group + 1) * p.m) - 1) + ") has " +
                                     std::to_string(count) + "; prune the weight first: nm.prune(weight, { pattern: '" + pattern + "' })");
}

// `dense` is the row of the weight as float32; null for a row of padding.
Status pack_row(const WeightRows& rows, const float* dense, const PackedNm& p, const PackedValues& values, float inverse_scale, int64_t row,
                uint32_t* fields) {
  const int bits = nm_field_bits(p.m), per_word = 32 / bits;
  Status status;
  for_each_k_block(p, [&](int64_t k, int64_t inputs) {
    const RowInBlock at = locate(p, row, k, inputs);
    const int64_t kept = inputs / p.m * p.n;
    for (int64_t w = 0; w < kept / per_word; ++w) fields[at.word + w * p.lanes] = 0;
    int64_t j = 0;
    for (int64_t first = k; first < k + inputs && status.ok(); first += p.m) {
      const int size = dense ? static_cast<int>(std::clamp<int64_t>(p.in - first, 0, p.m)) : 0;
      const float* group = size > 0 ? dense + first : nullptr;
      int position[32];
      const int nonzero = kept_positions(group, size, p.n, p.m, position);
      if (nonzero > p.n) status = too_dense(rows, row, first / p.m, nonzero, p);
      for (int i = 0; i < p.n && status.ok(); ++i, ++j) {
        const float x = position[i] < size ? group[position[i]] : 0;
        if (!values.write(at.value + j / 4 * p.lanes * 4 + j % 4, x, inverse_scale))
          status = too_large(rows, row, first + position[i], values.type);
        fields[at.word + j / per_word * p.lanes] |= static_cast<uint32_t>(position[i]) << field_shift(p, bits, j);
      }
    }
  });
  return status;
}

}  // namespace

bool nm_known(int n, int m) { return (m == 4 || m == 8 || m == 16 || m == 32) && n >= 1 && n < m; }

int nm_field_bits(int m) { return m == 4 ? 2 : m <= 16 ? 4 : 8; }

// Rows that keep few weights spend their time on loading and storing accumulators, once per k block. Narrower panels allow k blocks of
// twice the length in 24 KB of L1. Two rows of six vectors load least for each multiply-add.
int nm_panel_vectors(int n, int m, int most, int lanes) { return 4 * n <= m ? std::min(lanes > 8 ? 4 : 6, most) : most; }

void nm_layout(int n, int m, const WeightRows& rows, int panel_vectors, int64_t row_block, PackedNm* packed, int panel_bytes) {
  const int64_t in = rows.weight.columns;
  const int64_t fields = 32 / nm_field_bits(m);
  const int64_t unit = m * fields / std::gcd<int64_t>(n, fields);
  // 64 inputs of a panel of eight vectors of eight lanes are 16 KB: they stay in L1 beside the weights. So do those of six bytes, but
  // fewer.
  const int64_t k_block = round_up(4 * n > m || panel_bytes > 4 ? 64 : 128, unit);
  *packed = {{rows.lanes, in, round_up(in, unit), rows.weight.rows, rows.count(), k_block, row_block, panel_vectors},
             n,
             m,
             panel_bytes > 0,
             nullptr,
             nullptr};
}

bool nm_kept(const PackedNm& packed, int64_t* kept) {
  int64_t bytes;
  return checked_multiply(packed.out_padded, packed.in_padded / packed.m * packed.n, kept) && checked_multiply(*kept, 4, &bytes);
}

Status nm_pack(const WeightRows& rows, const PackedNm& packed, const PackedValues& values, uint32_t* fields) {
  return for_each_block(packed.out_padded, packed.row_block, [&](int64_t first, int64_t end) {
    return for_each_row(rows, first, end, [&](int64_t row, const float* dense) {
      const bool quantise = values.type == DType::kInt8 && rows.weight.type != DType::kInt8 && dense != nullptr;
      return pack_row(rows, dense, packed, values, quantise ? 1 / values.scale[row] : 1, row, fields);
    });
  });
}

void nm_unpack(const PackedNm& p, const PackedValues& values, const WeightRows& rows, float* dense) {
  const int bits = nm_field_bits(p.m), per_word = 32 / bits;
  for (int64_t row = 0; row < p.out_padded; ++row) {
    if (rows.place(row) < 0) continue;
    float* to = dense + rows.place(row) * p.in;
    std::memset(to, 0, static_cast<size_t>(p.in) * sizeof(float));
    for_each_k_block(p, [&](int64_t k, int64_t inputs) {
      const RowInBlock at = locate(p, row, k, inputs);
      for (int64_t j = 0; j < inputs / p.m * p.n; ++j) {
        const uint32_t word = p.fields[at.word + j / per_word * p.lanes];
        const int64_t i = k + j / p.n * p.m + ((word >> field_shift(p, bits, j)) & (p.m - 1));
        if (i < p.in) to[i] = values.read(at.value + j / 4 * p.lanes * 4 + j % 4, row);
      }
    });
  }
}

}  // namespace sk

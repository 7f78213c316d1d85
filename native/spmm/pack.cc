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

// Where the kept weights of a row's k block live: those of its row group begin with element `first`.
struct RowInBlock {
  int64_t first, lane;
};

RowInBlock locate(const PackedNm& p, int64_t row, int64_t k, int64_t inputs) {
  const int64_t first = row / p.row_block * p.row_block;
  const int64_t rows = std::min(p.row_block, p.out_padded - first);
  const int64_t lane = (row - first) % p.lanes;
  const int64_t kept = inputs / p.m * p.n;
  return {first * (p.in_padded / p.m * p.n) + rows * (k / p.m * p.n) + (row - first - lane) * kept, lane};
}

// The element of values that holds kept weight j.
int64_t value_of(const PackedNm& p, const RowInBlock& at, int64_t j) {
  const int64_t quad = p.by_bytes ? at.lane : at.lane % 4 * (p.lanes / 4) + at.lane / 4;
  return at.first + (quad + j / 4 * p.lanes) * 4 + j % 4;
}

// Words of so many fields, or nibbles: a power of two, for these run for every weight.
struct Words {
  int bits;   // of a field
  int shift;  // 2^shift fields

  constexpr explicit Words(int field_bits) : bits(field_bits), shift(__builtin_ctz(32 / field_bits)) {}
  // The word that holds that of kept weight j, and its place in it.
  int64_t of(const PackedNm& p, const RowInBlock& at, int64_t j) const { return (at.first >> shift) + (j >> shift) * p.lanes + at.lane; }
  int64_t field(int64_t j) const { return j & ((1 << shift) - 1); }
};

constexpr Words kNibbles(4);

// Where in its word the field, or nibble, of kept weight j lies.
int64_t field_shift(const PackedNm& p, const Words& words, int64_t j) {
  const int64_t field = words.field(j);
  return p.by_bytes ? field % 4 * 8 + field / 4 * words.bits : field * words.bits;
}

// Calls visit(k, inputs) for each k block.
template <class F>
void for_each_k_block(const PackedNm& p, F&& visit) {
  for (int64_t k = 0; k < p.in_padded; k += p.k_block) visit(k, std::min(p.k_block, p.in_padded - k));
}

// The non-zeros of a group, a bit for each, and their number: NaN counts.
uint32_t nonzeros(const float* group, int size, int* count) {
  uint32_t used = 0;
  *count = 0;
  for (int i = 0; i < size; ++i) used |= static_cast<uint32_t>(group[i] != 0) << i, *count += group[i] != 0;
  return used;
}

Status too_dense(const WeightRows& rows, int64_t row, int64_t group, int count, const PackedNm& p) {
  const std::string pattern = std::to_string(p.n) + ":" + std::to_string(p.m);
  return Status(Code::kSparsity, "expected at most " + std::to_string(p.n) + " non-zero weights in every group of " + std::to_string(p.m) +
                                     " (pattern " + pattern + ") but " + rows.name(row) + ", group " + std::to_string(group) + " (inputs " +
                                     std::to_string(group * p.m) + ".." + std::to_string(std::min(p.in, (group + 1) * p.m) - 1) + ") has " +
                                     std::to_string(count) + "; prune the weight first: nm.prune(weight, { pattern: '" + pattern + "' })");
}

// `dense` is the row of the weight as float32; null for a row of padding. Calls put(at, j, input, x) -> fits for each kept weight.
template <class Put>
Status pack_row(const WeightRows& rows, const float* dense, const PackedNm& p, DType type, int64_t row, uint32_t* fields, Put&& put) {
  const Words words(nm_field_bits(p.m));
  Status status;
  for_each_k_block(p, [&](int64_t k, int64_t inputs) {
    const RowInBlock at = locate(p, row, k, inputs);
    for (int64_t j = 0; j < inputs / p.m * p.n; j += 1 << words.shift) fields[words.of(p, at, j)] = 0;
    int64_t j = 0;
    for (int64_t first = k; first < k + inputs && status.ok(); first += p.m) {
      const int size = dense ? static_cast<int>(std::clamp<int64_t>(p.in - first, 0, p.m)) : 0;
      const float* group = size > 0 ? dense + first : nullptr;
      int count;
      uint32_t keep = nonzeros(group, size, &count);
      if (count > p.n) status = too_dense(rows, row, first / p.m, count, p);
      for (int i = count; i < p.n; ++i) keep |= keep + 1;  // filled up from the lowest zeros
      for (; keep != 0 && status.ok(); keep &= keep - 1, ++j) {
        const int i = __builtin_ctz(keep);
        if (!put(at, j, first + i, i < size ? group[i] : 0)) status = too_large(rows, row, first + i, type);
        fields[words.of(p, at, j)] |= static_cast<uint32_t>(i) << field_shift(p, words, j);
      }
    }
  });
  return status;
}

// Writes the kept weights of all rows to dense: get(row, at, j, input).
template <class Get>
void unpack_rows(const PackedNm& p, const WeightRows& rows, float* dense, Get&& get) {
  const Words words(nm_field_bits(p.m));
  for (int64_t row = 0; row < p.out_padded; ++row) {
    if (rows.place(row) < 0) continue;
    float* to = dense + rows.place(row) * p.in;
    std::memset(to, 0, static_cast<size_t>(p.in) * sizeof(float));
    for_each_k_block(p, [&](int64_t k, int64_t inputs) {
      const RowInBlock at = locate(p, row, k, inputs);
      int64_t j = 0;
      for (int64_t group = k; group < k + inputs; group += p.m) {
        for (int kept = 0; kept < p.n; ++kept, ++j) {
          const uint32_t word = p.fields[words.of(p, at, j)];
          const int64_t i = group + ((word >> field_shift(p, words, j)) & (p.m - 1));
          if (i < p.in) to[i] = get(row, at, j, i);
        }
      }
    });
  }
}

// Where the level of an input lies.
int64_t level_at(const PackedNm& p, int64_t row, int64_t input) {
  const int64_t share = p.levels.inputs, first = row / p.row_block * p.row_block, k = input / p.k_block * p.k_block;
  const int64_t rows = std::min(p.row_block, p.out_padded - first), lane = (row - first) % p.lanes;
  const int64_t of_block = ceil_div(std::min(p.k_block, p.in_padded - k), share);
  return first * ceil_div(p.in_padded, share) + rows * (k / share) + (row - first - lane) * of_block + (input - k) / share * p.lanes + lane;
}

}  // namespace

bool nm_known(int n, int m) { return (m == 4 || m == 8 || m == 16 || m == 32) && n >= 1 && n < m; }

int nm_field_bits(int m) { return m == 4 ? 2 : m <= 16 ? 4 : 8; }

// Rows that keep few weights spend their time on loading and storing accumulators, once per k block. Narrower panels allow k blocks of
// twice the length in 16 or 24 KB of L1. Two rows of six vectors load least for each multiply-add, where the pattern is known at run time.
int nm_panel_vectors(int n, int m, int most, int lanes) { return 4 * n <= m ? std::min(lanes > 8 ? 4 : 6, most) : most; }

void nm_layout(int n, int m, const WeightRows& rows, int panel_vectors, int64_t row_block, PackedNm* packed, const SpmmQuantise* quantise,
               int64_t group) {
  const int64_t in = rows.weight.columns;
  const int64_t fields = 32 / nm_field_bits(m);
  const int64_t unit = m * fields / std::gcd<int64_t>(n, fields);
  // 64 inputs of a panel of eight vectors of eight lanes are 16 KB: they stay in L1 beside the weights. So do those of six bytes, but
  // fewer.
  const int64_t panel_block = 4 * n > m || (quantise && quantise->panel_bytes > 4) ? 64 : 128;
  // Where there are no panels the x of four tokens, two bytes for each input, stays in L1 instead.
  const int64_t k_block = round_up(quantise && quantise->panel_bytes == 0 ? 4096 : panel_block, unit);
  *packed = {{rows.lanes, in, round_up(in, unit), rows.weight.rows, rows.count(), k_block, row_block, panel_vectors},
             n,
             m,
             quantise != nullptr,
             nullptr,
             nullptr,
             {std::min(group, k_block), nullptr, nullptr}};
}

bool nm_kept(const PackedNm& packed, int64_t* kept) {
  int64_t bytes;
  return checked_multiply(packed.out_padded, packed.in_padded / packed.m * packed.n, kept) && checked_multiply(*kept, 4, &bytes);
}

Status nm_pack(const WeightRows& rows, const PackedNm& packed, const PackedValues& values, uint32_t* fields) {
  return for_each_block(packed.out_padded, packed.row_block, [&](int64_t first, int64_t end) {
    return for_each_row(rows, first, end, [&](int64_t row, const float* dense) {
      const bool quantise = values.type == DType::kInt8 && rows.weight.type != DType::kInt8 && dense != nullptr;
      const float inverse_scale = quantise ? 1 / values.scale[row] : 1;
      return pack_row(rows, dense, packed, values.type, row, fields, [&](const RowInBlock& at, int64_t j, int64_t, float x) {
        return values.write(value_of(packed, at, j), x, inverse_scale);
      });
    });
  });
}

void nm_unpack(const PackedNm& p, const PackedValues& values, const WeightRows& rows, float* dense) {
  unpack_rows(p, rows, dense, [&](int64_t row, const RowInBlock& at, int64_t j, int64_t) { return values.read(value_of(p, at, j), row); });
}

int64_t nm_levels(const PackedNm& p) { return p.out_padded * ceil_div(p.in_padded, p.levels.inputs); }

Int4Level nm_level(const PackedNm& p, int64_t row, int64_t input) {
  const int64_t at = level_at(p, row, input);
  return {widen(p.levels.scales[at]), p.levels.zeros ? p.levels.zeros[at] : 8};
}

Status nm_pack_int4(const WeightRows& rows, const PackedNm& packed, const Int4Levels& levels) {
  const bool integers = rows.weight.type == DType::kInt8;
  auto* nibbles = static_cast<uint32_t*>(const_cast<void*>(packed.values));
  auto* scales = const_cast<Half*>(packed.levels.scales);
  auto* zeros = const_cast<int8_t*>(packed.levels.zeros);
  return for_each_block(packed.out_padded, packed.row_block, [&](int64_t first, int64_t end) {
    return for_each_row(rows, first, end, [&](int64_t row, const float* dense) {
      for (int64_t input = 0; input < packed.in_padded; input += packed.levels.inputs) {
        const size_t from = levels.at(row, std::min(input, packed.in - 1));
        const int64_t at = level_at(packed, row, input);
        scales[at] = levels.scales[from];
        if (zeros) zeros[at] = levels.zeros[from];
      }
      return pack_row(rows, dense, packed, DType::kInt4, row, const_cast<uint32_t*>(packed.fields),
                      [&](const RowInBlock& at, int64_t j, int64_t input, float x) {
                        uint32_t& word = nibbles[kNibbles.of(packed, at, j)];
                        if (j % 8 == 0) word = 0;
                        word |= int4_steps(x, levels.level(row, std::min(input, packed.in - 1)), integers)
                                << field_shift(packed, kNibbles, j);
                        return true;
                      });
    });
  });
}

void nm_unpack_int4(const PackedNm& p, const WeightRows& rows, float* dense) {
  const auto* nibbles = static_cast<const uint32_t*>(p.values);
  unpack_rows(p, rows, dense, [&](int64_t row, const RowInBlock& at, int64_t j, int64_t input) {
    const Int4Level level = nm_level(p, row, input);
    return level.scale *
           static_cast<float>(static_cast<int>(nibbles[kNibbles.of(p, at, j)] >> field_shift(p, kNibbles, j) & 15) - level.zero);
  });
}

}  // namespace sk

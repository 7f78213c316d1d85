#include "groups.h"

#include <algorithm>
#include <cstring>

namespace sk {
namespace {

// Most groups of a row: columns are u16.
constexpr int64_t kMostGroups = 1 << 16;

bool kept(const float* dense, int64_t first, int64_t end) {
  return std::any_of(dense + first, dense + end, [](float w) { return w != 0; });  // NaN counts
}

// Where weight i of a group of the row lies: nibble `shift` of a word.
struct Nibble {
  int64_t word;
  int shift;
};
Nibble nibble_at(const PackedGroups& p, int64_t group, int64_t i) {
  const int64_t weight = group * p.group + i;
  if (p.by_bytes) {
    const int64_t step = 16 * p.lanes, unit = weight % step / 16, byte = unit / 4 * 16 + weight % 16;
    return {weight / step * 2 * p.lanes + unit / 2 % 2 * p.lanes + byte / 4, static_cast<int>(byte % 4 * 8 + unit % 2 * 4)};
  }
  const int64_t within = weight % (8 * p.lanes);
  return {weight / (8 * p.lanes) * p.lanes + within % p.lanes, static_cast<int>(within / p.lanes) * 4};
}

// The groups of a row, with those that fill it up.
int64_t filled_up(const PackedGroups& p, int64_t groups) {
  return round_up(groups, std::max(1, (p.by_bytes ? 16 : 8) * p.lanes / p.group));
}

struct Arrays {
  uint16_t* columns;
  Half* scales;
  int8_t* zeros;
  uint32_t* words;
};

void pack_row(const PackedGroups& p, const WeightRows& rows, const Int4Levels& levels, int64_t row, const float* dense, const Arrays& to) {
  const bool integers = rows.weight.type == DType::kInt8;
  int64_t at = p.rows[row];
  uint16_t last = 0;
  for (int64_t first = 0; dense && first < p.in; first += p.group) {
    const int64_t end = std::min(p.in, first + p.group);
    if (!kept(dense, first, end)) continue;
    const Int4Level level = levels.level(row, first);
    to.columns[at] = last = static_cast<uint16_t>(first / p.group);
    to.scales[at] = levels.scales[levels.at(row, first)];
    if (to.zeros) to.zeros[at] = static_cast<int8_t>(level.zero);
    for (int64_t i = 0; i < p.group; ++i) {
      const Nibble n = nibble_at(p, at, i);
      to.words[n.word] |= int4_steps(first + i < end ? dense[first + i] : 0, level, integers) << n.shift;
    }
    ++at;
  }
  for (; at < p.rows[row + 1]; ++at) {
    to.columns[at] = last;
    to.scales[at] = {0};
    if (to.zeros) to.zeros[at] = 0;
  }
}

}  // namespace

Status group_pack(const WeightRows& rows, const Int4Levels& levels, bool by_bytes, int64_t row_block, PackedGroups* packed,
                  GroupStorage* storage) {
  const int64_t in = rows.weight.columns;
  PackedGroups& p = *packed;
  const int64_t in_padded = round_up(in, levels.group);
  if (in_padded / levels.group > kMostGroups)
    return Status(Code::kShape, "expected at most " + std::to_string(kMostGroups) + " groups of a row but " + std::to_string(in) +
                                    " inputs have " + std::to_string(in_padded / levels.group));
  static_cast<PackedWeight&>(p) = {rows.lanes, in, in_padded, rows.weight.rows, rows.count(), in_padded, row_block, 1};
  p.group = static_cast<int>(levels.group);
  p.by_bytes = by_bytes;
  const size_t rows_bytes = static_cast<size_t>(p.out_padded + 1) * sizeof(int64_t);
  if (!storage->rows.reserve(rows_bytes)) return Status(Code::kMemory, "no memory for a packed weight");
  auto* starts = storage->rows.as<int64_t>();
  (void)for_each_block(p.out_padded, row_block, [&](int64_t begin, int64_t end) {
    return for_each_row(rows, begin, end, [&](int64_t row, const float* dense) {
      int64_t groups = 0;
      for (int64_t first = 0; dense && first < in; first += p.group) groups += kept(dense, first, std::min(in, first + p.group));
      starts[row] = filled_up(p, groups);
      return Status();
    });
  });
  int64_t total = 0;
  for (int64_t row = 0; row <= p.out_padded; ++row) {
    const int64_t groups = row < p.out_padded ? starts[row] : 0;
    starts[row] = total;
    total += groups;
  }
  const size_t groups = static_cast<size_t>(total), slack = static_cast<size_t>(rows.lanes);
  const size_t words_bytes = groups * static_cast<size_t>(p.group) / 2;
  if (!storage->columns.reserve(groups * 2) || !storage->scales.reserve((groups + slack) * 2) ||
      !storage->zeros.reserve(levels.zero_point ? groups + slack : 0) || !storage->words.reserve(words_bytes))
    return Status(Code::kMemory, "no memory for a packed weight of " + std::to_string(words_bytes) + " bytes");
  storage->bytes = rows_bytes + groups * 2 + (groups + slack) * (levels.zero_point ? 3 : 2) + words_bytes;
  const Arrays to = {storage->columns.as<uint16_t>(), storage->scales.as<Half>(), levels.zero_point ? storage->zeros.as<int8_t>() : nullptr,
                     storage->words.as<uint32_t>()};
  std::memset(to.scales + groups, 0, slack * 2);
  if (to.zeros) std::memset(to.zeros + groups, 0, slack);
  if (words_bytes) std::memset(to.words, 0, words_bytes);
  p.rows = starts;
  p.columns = to.columns;
  p.scales = to.scales;
  p.zeros = to.zeros;
  p.words = to.words;
  return for_each_block(p.out_padded, row_block, [&](int64_t begin, int64_t end) {
    return for_each_row(rows, begin, end, [&](int64_t row, const float* dense) {
      pack_row(p, rows, levels, row, dense, to);
      return Status();
    });
  });
}

namespace {

// Calls visit(row of the dense matrix, group) for the groups that were kept; those that fill up a row have a scale of 0.
template <class F>
void for_each_kept(const PackedGroups& p, const WeightRows& rows, F&& visit) {
  for (int64_t row = 0; row < p.out_padded; ++row)
    for (int64_t group = p.rows[row]; rows.place(row) >= 0 && group < p.rows[row + 1]; ++group)
      if (widen(p.scales[group]) != 0) visit(rows.place(row), group);
}

}  // namespace

void group_unpack(const PackedGroups& p, const WeightRows& rows, float* dense) {
  std::memset(dense, 0, static_cast<size_t>(p.out * p.in) * (rows.gated ? 2 : 1) * sizeof(float));
  for_each_kept(p, rows, [&](int64_t row, int64_t group) {
    const int64_t first = p.columns[group] * static_cast<int64_t>(p.group);
    for (int64_t i = 0; i < std::min<int64_t>(p.group, p.in - first); ++i) {
      const Nibble n = nibble_at(p, group, i);
      const int zero = p.zeros ? p.zeros[group] : 8;
      dense[row * p.in + first + i] = widen(p.scales[group]) * static_cast<float>(static_cast<int>(p.words[n.word] >> n.shift & 15) - zero);
    }
  });
}

void group_scales(const PackedGroups& p, const WeightRows& rows, float* scales) {
  const int64_t per_row = p.in_padded / p.group;
  std::memset(scales, 0, static_cast<size_t>(p.out * per_row) * (rows.gated ? 2 : 1) * sizeof(float));
  for_each_kept(p, rows, [&](int64_t row, int64_t group) { scales[row * per_row + p.columns[group]] = widen(p.scales[group]); });
}

}  // namespace sk

#include "tf32.h"

#include <cstring>

namespace sk {
namespace {

constexpr uint32_t kFirst = 0x4, kSecond = 0xE;  // the units 0 and 1, or 2 and 3, of four
constexpr int64_t kBlockRows = 64;

// To nearest, ties away from zero, as cvt.rna.tf32 rounds x. What would become infinite is cut off; infinity and NaN stay.
float round_to_tf32(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const bool grows = (bits & 0x7FFFFFFF) < 0x7F7FF000;
  bits = (bits + (grows ? 0x1000 : 0)) & 0xFFFFE000;
  if (x != x) bits |= 0x400000;
  std::memcpy(&x, &bits, 4);
  return x;
}

}  // namespace

bool keeps_one_of_two(const WeightRows& rows) {
  const int64_t in = rows.weight.columns;
  return for_each_block(rows.count(), kBlockRows,
                        [&](int64_t first, int64_t end) {
                          return for_each_row(rows, first, end, [&](int64_t, const float* dense) {
                            for (int64_t k = 0; dense && k + 1 < in; k += 2)
                              if (dense[k] != 0 && dense[k + 1] != 0) return Status(Code::kSparsity, "both of two");
                            return Status();
                          });
                        })
      .ok();
}

Status tf32_pack(const WeightRows& rows, float* values, uint32_t* fields) {
  const int64_t in = rows.weight.columns, padded = tf32_padded(in);
  std::memset(values, 0, static_cast<size_t>(rows.count() * padded / 2) * sizeof(float));
  std::memset(fields, 0x44, static_cast<size_t>(rows.count() * padded / 16) * sizeof(uint32_t));
  const auto pack_row = [&](int64_t row, const float* dense) {
    for (int64_t k = 0; dense && k < in; k += 2) {
      const bool second = dense[k] == 0 && k + 1 < in && dense[k + 1] != 0;
      values[(row * padded + k) / 2] = round_to_tf32(dense[k + second]);
      if (second) fields[(row * padded + k) / 16] |= kSecond << k % 16 * 2;
    }
    return Status();
  };
  return for_each_block(rows.count(), kBlockRows, [&](int64_t first, int64_t end) { return for_each_row(rows, first, end, pack_row); });
}

void tf32_unpack(const WeightRows& rows, const float* values, const uint32_t* fields, float* dense) {
  const int64_t in = rows.weight.columns, padded = tf32_padded(in);
  for (int64_t row = 0; row < rows.count(); ++row) {
    if (rows.place(row) < 0) continue;
    float* to = dense + rows.place(row) * in;
    std::memset(to, 0, static_cast<size_t>(in) * sizeof(float));
    for (int64_t k = 0; k < in; k += 2) {
      const uint32_t field = fields[(row * padded + k) / 16] >> k % 16 * 2 & 15;
      if (const int64_t i = k + (field != kFirst); i < in) to[i] = values[(row * padded + k) / 2];
    }
  }
}

}  // namespace sk

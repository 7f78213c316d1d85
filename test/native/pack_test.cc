// The packed format: layout facts of native/spmm/kernel.h, round trips, and which weights are refused.
#include "../../native/spmm/pack.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "../../native/core/memory.h"
#include "guarded.h"
#include "harness.h"
#include "oracle.h"

namespace sk_test {
namespace {

using sk::PackedNm;

sk::WeightRows rows_of(const float* weight, int lanes, int64_t out, int64_t in) {
  return {{weight, sk::DType::kFloat32, out, in}, nullptr, false, lanes};
}

struct Packed {
  Packed(Pattern p, int lanes, int64_t out, int64_t in, int64_t row_block) {
    sk::nm_layout(p.n, p.m, rows_of(nullptr, lanes, out, in), sk::nm_panel_vectors(p.n, p.m, 8, lanes), row_block, &layout);
    size_ok = sk::nm_kept(layout, &kept);
    words = kept / (32 / sk::nm_field_bits(p.m));
  }
  PackedNm layout = {};
  bool size_ok = false;
  int64_t kept = 0, words = 0;
};

// Where the quad of row r of a row group lies: they are in the order rows 0, 4, 8 .. | 1, 5, 9 .. | 2, 6, 10 .. | 3, 7, 11 ..
int64_t quad_of_row(int64_t r, int lanes) {
  int64_t before = 0;
  for (int64_t other = 0; other < lanes; ++other) before += other % 4 < r % 4 || (other % 4 == r % 4 && other < r);
  return before;
}

// Unpacks by reading values and fields front to back once, in the order in which the loops of the kernels do: row blocks, k blocks, row
// groups, quads and words. Empty: the format is not as drawn.
std::vector<float> stream(const PackedNm& p, int64_t kept, int64_t words) {
  const int bits = sk::nm_field_bits(p.m), per_word = 32 / bits;
  std::vector<float> dense(static_cast<size_t>(p.out_padded * p.in_padded));
  int64_t value = 0, word = 0;
  for (int64_t first = 0; first < p.out_padded; first += p.row_block) {
    const int64_t end = std::min(first + p.row_block, p.out_padded);
    for (int64_t k = 0; k < p.in_padded; k += p.k_block) {
      const int64_t count = std::min(p.k_block, p.in_padded - k) / p.m * p.n;  // kept weights of a row in this k block
      if (count % per_word != 0) return {};
      for (int64_t group = first; group < end; group += p.lanes) {
        for (int64_t r = 0; r < p.lanes; ++r) {
          int64_t last = -1;
          for (int64_t j = 0; j < count; ++j) {
            const uint32_t f = p.fields[word + j / per_word * p.lanes + r] >> (j % per_word * bits);
            const int64_t i = k + j / p.n * p.m + static_cast<int64_t>(f & ((1u << bits) - 1));
            if (i >= k + (j / p.n + 1) * p.m || i <= last) return {};  // outside its group, or not ascending
            last = i;
            dense[static_cast<size_t>((group + r) * p.in_padded + i)] =
                static_cast<const float*>(p.values)[value + (j / 4 * p.lanes + quad_of_row(r, p.lanes)) * 4 + j % 4];
          }
        }
        value += p.lanes * count;
        word += p.lanes * (count / per_word);
      }
    }
  }
  return value == kept && word == words ? dense : std::vector<float>();
}

bool round_trip(Pattern p, int lanes, int64_t out, int64_t in, int64_t row_block, Edge edge) {
  at("pack %d:%d, %d lanes, out %d, in %d, row block %d", p.n, p.m, lanes, static_cast<int>(out), static_cast<int>(in),
     static_cast<int>(row_block));
  Packed packed(p, lanes, out, in, row_block);
  PackedNm& layout = packed.layout;
  const int64_t fields = 32 / sk::nm_field_bits(p.m), unit = p.m * fields / std::gcd<int64_t>(p.n, fields);
  bool ok = packed.size_ok && layout.in == in && layout.out == out && layout.in_padded == sk::round_up(in, unit) &&
            layout.out_padded == sk::round_up(out, lanes) && layout.k_block % unit == 0 && layout.k_block % lanes == 0 &&
            layout.k_block > 0 && packed.kept == layout.out_padded * layout.in_padded / p.m * p.n && packed.kept % fields == 0;

  Random random(static_cast<uint64_t>(out * 1000 + in));
  std::vector<float> dense = random_sparse(random, out, in, p, false);
  for (float& x : dense)
    if (x != 0 && random.below(20) == 0) x = random.below(2) ? std::nanf("77") : std::numeric_limits<float>::denorm_min();
  const Guarded<float> weight(dense, edge), values(static_cast<size_t>(packed.kept), edge);
  const Guarded<uint32_t> words(static_cast<size_t>(packed.words), edge);
  ok = ok && sk::nm_pack(rows_of(weight.data(), lanes, out, in), layout, {sk::DType::kFloat32, values.data(), nullptr}, words.data()).ok();
  ok = ok && values.slack_untouched() && words.slack_untouched();
  layout.values = values.data();
  layout.fields = words.data();

  const Guarded<float> back(dense.size(), edge);
  if (ok) sk::nm_unpack(layout, {sk::DType::kFloat32, values.data(), nullptr}, rows_of(nullptr, lanes, out, in), back.data());
  ok = ok && back.slack_untouched() && same_bits(back.data(), dense.data(), out * in);

  const std::vector<float> streamed = stream(layout, packed.kept, packed.words);
  ok = ok && !streamed.empty();
  for (int64_t row = 0; ok && row < layout.out_padded; ++row)
    for (int64_t i = 0; i < layout.in_padded; ++i) {
      const float expected = row < out && i < in ? dense[static_cast<size_t>(row * in + i)] : 0;
      ok = ok && same_bits(&streamed[static_cast<size_t>(row * layout.in_padded + i)], &expected, 1);
    }
  return ok;
}

void round_trips() {
  for (const int m : {4, 8, 16, 32})
    for (int n = 1; n < m; n += m > 8 && n > 1 && n + 3 < m ? 3 : 1) {
      const Pattern p = {n, m};
      bool ok = true;
      for (const int lanes : {4, 8, 16}) {
        const struct {
          int64_t out, in, row_block;
        } shapes[] = {{1, 1, 64},     {lanes, m, 64}, {lanes + 1, 129, 64}, {65, 33, 64}, {4 * lanes - 1, 4 * m + 1, 64},
                      {150, 300, 80}, {129, 31, 256}};
        for (const auto& s : shapes) ok = ok && round_trip(p, lanes, s.out, s.in, s.row_block, (s.out + n) % 2 ? Edge::kEnd : Edge::kStart);
      }
      check(ok, "pack: " + std::to_string(n) + ":" + std::to_string(m) + (ok ? "" : ": broken at " + std::string(current_case)));
    }
}

void sizes() {
  int64_t kept;
  check(Packed({2, 4}, 8, 64, 128, 64).kept == 64 * 64 && Packed({2, 4}, 8, 64, 128, 64).words == 64 * 64 / 16,
        "pack: 2:4 keeps half of the weights with 2 bits each");
  check(Packed({3, 16}, 16, 16, 1024, 64).kept == 16 * 192 && Packed({3, 16}, 16, 16, 1024, 64).words == 16 * 192 / 8,
        "pack: 3:16 keeps 3/16 of the weights with 4 bits each");
  check(Packed({1, 32}, 4, 4, 1, 64).kept == 4 * 4 && Packed({1, 32}, 4, 4, 1, 64).words == 4, "pack: one input is padded to one unit");
  PackedNm huge;
  sk::nm_layout(2, 4, rows_of(nullptr, 8, int64_t{1} << 31, int64_t{1} << 30), 8, 64, &huge);
  check(sk::nm_kept(huge, &kept) && kept == int64_t{1} << 60, "pack: 2^60 weights can be counted");
  sk::nm_layout(2, 4, rows_of(nullptr, 8, int64_t{1} << 31, int64_t{1} << 31), 8, 64, &huge);
  check(!sk::nm_kept(huge, &kept), "pack: 2^63 bytes of weights are too many");
  sk::nm_layout(31, 32, rows_of(nullptr, 16, int64_t{1} << 40, int64_t{1} << 40), 8, 64, &huge);
  check(!sk::nm_kept(huge, &kept), "pack: 2^80 weights are too many");
}

// The error for `dense`, packed for 8 lanes.
sk::Status pack(const std::vector<float>& dense, Pattern p, int64_t out, int64_t in, int64_t row_block = 64) {
  Packed packed(p, 8, out, in, row_block);
  std::vector<float> values(static_cast<size_t>(packed.kept));
  std::vector<uint32_t> fields(static_cast<size_t>(packed.words));
  return sk::nm_pack(rows_of(dense.data(), 8, out, in), packed.layout, {sk::DType::kFloat32, values.data(), nullptr}, fields.data());
}

void refusals() {
  const int64_t out = 200, in = 301;
  const auto names = [](const sk::Status& s, const char* row, const char* group, const char* inputs, const char* count) {
    const std::string& text = s.message();
    return s.code() == sk::Code::kSparsity && text.find(std::string("row ") + row + ", group " + group + " ") != std::string::npos &&
           text.find(std::string("inputs ") + inputs) != std::string::npos && text.find(std::string("has ") + count) != std::string::npos;
  };
  std::vector<float> dense(static_cast<size_t>(out * in));
  const auto set = [&](int64_t row, int64_t first, int count, float value) {
    for (int i = 0; i < count; ++i) dense[static_cast<size_t>(row * in + first + i)] = value;
  };

  set(5, 8, 2, 1);
  check(pack(dense, {2, 4}, out, in).ok(), "pack: n non-zeros pass");
  set(190, 200, 3, 1);
  check(names(pack(dense, {2, 4}, out, in), "190", "50", "200..203", "3"), "pack: n + 1 non-zeros are refused by row, group and count");
  set(190, 100, 4, 1);
  check(names(pack(dense, {2, 4}, out, in), "190", "25", "100..103", "4"), "pack: the first group of the row is named");
  set(70, 292, 3, -1e-45f);
  check(names(pack(dense, {2, 4}, out, in), "70", "73", "292..295", "3"),
        "pack: the first row is named, also from another row block; a denormal counts");
  set(70, 292, 4, 0);
  set(3, 300, 1, 1);
  set(3, 298, 2, 1);  // the last group holds input 300 alone
  set(190, 100, 4, 0);
  set(190, 200, 4, 0);
  check(pack(dense, {2, 4}, out, in).ok(), "pack: a group that the row's end cuts short");
  check(pack(dense, {4, 8}, out, in).ok(), "pack: 4:8 takes the same weight");
  set(3, 296, 5, 1);
  check(names(pack(dense, {4, 8}, out, in), "3", "37", "296..300", "5"), "pack: the message ends a short group at the last input");

  dense.assign(dense.size(), 0);
  set(9, 4, 3, std::nanf(""));
  check(names(pack(dense, {2, 4}, out, in), "9", "1", "4..7", "3"), "pack: NaN counts as non-zero");
  set(9, 4, 3, INFINITY);
  check(names(pack(dense, {2, 4}, out, in), "9", "1", "4..7", "3"), "pack: infinity counts as non-zero");
  set(9, 4, 3, -0.0f);
  check(pack(dense, {2, 4}, out, in).ok(), "pack: -0 counts as zero");

  bool ok = true;
  for (const int m : {4, 8, 16, 32})
    for (int n = 1; n < m; ++n) {
      std::vector<float> row(static_cast<size_t>(2 * m));
      for (int i = 0; i < n; ++i) row[static_cast<size_t>(2 * m - 1 - i)] = 1;
      ok &= pack(row, {n, m}, 1, 2 * m).ok();
      row[static_cast<size_t>(2 * m - 1 - n)] = 1;
      const sk::Status status = pack(row, {n, m}, 1, 2 * m);
      ok &= names(status, "0", "1", (std::to_string(m) + ".." + std::to_string(2 * m - 1)).c_str(), std::to_string(n + 1).c_str());
    }
  check(ok, "pack: the border between n and n + 1 of every pattern");
}

}  // namespace

void pack_suite() {
  sizes();
  round_trips();
  refusals();
}

}  // namespace sk_test

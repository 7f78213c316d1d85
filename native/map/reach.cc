// Every (input, offset) has at most one output. Under one offset these candidates ascend as the inputs do, so the output sites are the
// union of sorted lists, and the row of each candidate's output is found by a walk along the sorted outputs. Candidates are cheaper to
// compute again than to keep: beside the pairs there are never more than the keys of the sites, for their keys are gone when pairs come.
#include "reach.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "../core/parallel.h"
#include "union.h"

namespace sk {
namespace {

constexpr int64_t kChunk = 4096;  // input rows of one task: their contributions stay in L2

Status no_memory() { return Status(Code::kMemory, "no memory for the pairs of a map"); }

// The offsets of one axis without repetition: contributions to the output key are computed once per (row, axis, distinct offset).
struct Axis {
  std::vector<int64_t> distinct;
  int64_t first;  // of its columns in the contributions of a chunk
};

class Reach {
 public:
  Reach(const MapOptions& options, PairLists* lists) : o_(options), axes_(options.in_grid.axes), lists_(*lists) {}

  Status run(AlignedBuffer* out_coords, int64_t* out_rows) {
    if (Status status = prepare(); !status.ok()) return status;
    if (o_.outputs == MapOutputs::kReached) {
      AlignedBuffer keys;
      if (Status status = candidates(&keys); !status.ok()) return status;
      if (Status status = unite(keys.as<int64_t>(), starts(), o_.groups, &outputs_, &out_rows_); !status.ok()) return status;
      keys.release();
      if (Status status = coordinates(out_coords); !status.ok()) return status;
    } else {
      if (Status status = site_keys(o_.out_grid, steps_, o_.out, &outputs_); !status.ok()) return status;
      out_rows_ = o_.out.rows;
      if (Status status = count_matches(); !status.ok()) return status;
    }
    *out_rows = out_rows_;
    return match();
  }

 private:
  Status prepare() {
    Keys in_steps;
    AlignedBuffer in_keys;  // checks that the inputs are inside their grid and ascend
    if (Status status = grid_keys(o_.in_grid, nullptr, &in_steps); !status.ok()) return status;
    if (Status status = site_keys(o_.in_grid, in_steps, o_.in, &in_keys); !status.ok()) return status;
    if (Status status = grid_keys(o_.out_grid, nullptr, &steps_); !status.ok()) return status;
    column_.resize(static_cast<size_t>(o_.groups * axes_));
    for (int a = 0; a < axes_; ++a) {
      Axis axis = {{}, columns_};
      for (int64_t g = 0; g < o_.groups; ++g) axis.distinct.push_back(o_.offsets[g * axes_ + a]);
      std::sort(axis.distinct.begin(), axis.distinct.end());
      axis.distinct.erase(std::unique(axis.distinct.begin(), axis.distinct.end()), axis.distinct.end());
      for (int64_t g = 0; g < o_.groups; ++g)
        column_[g * axes_ + a] =
            columns_ + (std::lower_bound(axis.distinct.begin(), axis.distinct.end(), o_.offsets[g * axes_ + a]) - axis.distinct.begin());
      columns_ += static_cast<int64_t>(axis.distinct.size());
      of_axis_.push_back(std::move(axis));
    }
    return Status();
  }

  // What input coordinate i of axis a adds to the output key under offset d; -1 where there is no output.
  int64_t contribution(int a, int64_t i, int64_t d) const {
    int64_t out;
    if (o_.transposed) {
      out = i * o_.stride[a] + d;
    } else {
      out = i - d;
      if (out < 0 || out % o_.stride[a] != 0) return -1;
      out /= o_.stride[a];
    }
    return out < 0 || out >= o_.out_grid.extent[a] ? -1 : out * steps_.step[1 + a];
  }

  // contributions [columns_][kChunk] of the input rows [first, first + rows). Neighbouring rows mostly share all axes but the last.
  void contributions(int64_t first, int64_t rows, int64_t* to) const {
    for (int a = 0; a < axes_; ++a) {
      const Axis& axis = of_axis_[a];
      for (int64_t r = 0; r < rows; ++r) {
        const int32_t* site = o_.in.coords + (first + r) * (1 + axes_);
        const bool as_before = r > 0 && site[1 + a] == site[a - axes_] && (a > 0 || site[0] == site[-1 - axes_]);
        int64_t column = axis.first;
        for (const int64_t d : axis.distinct) {
          int64_t* cell = to + column++ * kChunk + r;
          if (as_before) {
            *cell = cell[-1];
            continue;
          }
          *cell = contribution(a, site[1 + a], d);
          if (a == 0 && *cell >= 0) *cell += site[0] * steps_.step[0];
        }
      }
    }
  }

  // Calls use(group, chunk, first row, rows, contributions) for every chunk and group, in parallel over chunks.
  template <class Use>
  Status for_each_chunk(Use&& use) {
    std::atomic<bool> failed{false};
    parallel_for(ceil_div(o_.in.rows, kChunk), 1024, [&](int64_t chunk, int) {
      auto* cells = static_cast<int64_t*>(thread_scratch(static_cast<size_t>(columns_ * kChunk) * 8));
      if (cells == nullptr) {
        failed.store(true);
        return;
      }
      const int64_t first = chunk * kChunk, rows = std::min(kChunk, o_.in.rows - first);
      contributions(first, rows, cells);
      for (int64_t g = 0; g < o_.groups; ++g) {
        const int64_t* c[kMaxAxes];
        for (int a = 0; a < kMaxAxes; ++a) c[a] = cells + column_[g * axes_ + std::min(a, axes_ - 1)] * kChunk;
        use(g, chunk, first, rows, c);
      }
    });
    return failed.load() ? no_memory() : Status();
  }

  template <class Each>
  void for_each_key(int64_t rows, const int64_t* const* c, Each&& each) const {
    switch (axes_) {  // the sign bit of any negative contribution survives the or
      case 1:
        for (int64_t r = 0; r < rows; ++r) each(r, c[0][r], c[0][r]);
        break;
      case 2:
        for (int64_t r = 0; r < rows; ++r) each(r, c[0][r] | c[1][r], c[0][r] + c[1][r]);
        break;
      case 3:
        for (int64_t r = 0; r < rows; ++r) each(r, c[0][r] | c[1][r] | c[2][r], c[0][r] + c[1][r] + c[2][r]);
        break;
      default:
        for (int64_t r = 0; r < rows; ++r) each(r, c[0][r] | c[1][r] | c[2][r] | c[3][r], c[0][r] + c[1][r] + c[2][r] + c[3][r]);
    }
  }

  int64_t* starts() const { return lists_.starts.as<int64_t>(); }

  // begin_ and starts(), from a first pass that counts: count(rows, contributions) of a group and chunk.
  template <class Count>
  Status count_pairs(Count&& count) {
    const int64_t chunks = ceil_div(o_.in.rows, kChunk), groups = o_.groups;
    begin_.resize(static_cast<size_t>(groups * chunks));
    if (!lists_.starts.reserve(static_cast<size_t>(groups + 1) * 8)) return no_memory();
    if (Status status = for_each_chunk(
            [&](int64_t g, int64_t chunk, int64_t, int64_t rows, const int64_t* const* c) { begin_[g * chunks + chunk] = count(rows, c); });
        !status.ok())
      return status;
    int64_t total = 0;
    for (int64_t g = 0; g < groups; ++g) {
      starts()[g] = total;
      for (int64_t i = g * chunks; i < (g + 1) * chunks; ++i) total += std::exchange(begin_[i], total);
    }
    starts()[groups] = total;
    return Status();
  }

  // keys: the candidates of every group, in ascending order.
  Status candidates(AlignedBuffer* keys) {
    const int64_t chunks = ceil_div(o_.in.rows, kChunk);
    const auto count = [this](int64_t rows, const int64_t* const* c) {
      int64_t found = 0;
      for_each_key(rows, c, [&found](int64_t, int64_t sign, int64_t) { found += sign >= 0; });
      return found;
    };
    if (Status status = count_pairs(count); !status.ok()) return status;
    if (!keys->reserve(static_cast<size_t>(starts()[o_.groups]) * 8)) return no_memory();
    return for_each_chunk([&](int64_t g, int64_t chunk, int64_t, int64_t rows, const int64_t* const* c) {
      int64_t* to = keys->as<int64_t>() + begin_[g * chunks + chunk];
      for_each_key(rows, c, [&to](int64_t, int64_t sign, int64_t key) {
        if (sign >= 0) *to++ = key;
      });
    });
  }

  Status coordinates(AlignedBuffer* out_coords) const {
    if (!out_coords->reserve(static_cast<size_t>(out_rows_ * (1 + axes_) + 1) * 4)) return no_memory();
    parallel_for(ceil_div(out_rows_, kChunk), 1024, [&](int64_t chunk, int) {
      const int64_t first = chunk * kChunk, end = std::min(first + kChunk, out_rows_);
      int32_t* site = out_coords->as<int32_t>() + first * (1 + axes_);
      for (int64_t row = first; row < end; ++row) {
        int64_t rest = outputs_.as<int64_t>()[row];
        for (int a = 0; a <= axes_; ++a) {
          *site++ = static_cast<int32_t>(rest / steps_.step[a]);
          rest %= steps_.step[a];
        }
      }
    });
    return Status();
  }

  // Calls found(row, output row) for every row of a chunk whose candidate is an output.
  template <class Found>
  void for_each_match(int64_t rows, const int64_t* const* c, Found&& found) const {
    const int64_t *outputs = outputs_.as<int64_t>(), *at = nullptr;
    for_each_key(rows, c, [&](int64_t r, int64_t sign, int64_t key) {
      if (sign < 0) return;
      if (at == nullptr) at = std::lower_bound(outputs, outputs + out_rows_, key);
      while (*at < key) ++at;
      if (*at == key) found(r, static_cast<int32_t>(at - outputs));
    });
  }

  Status count_matches() {
    return count_pairs([this](int64_t rows, const int64_t* const* c) {
      int64_t found = 0;
      for_each_match(rows, c, [&found](int64_t, int32_t) { ++found; });
      return found;
    });
  }

  Status match() {
    const int64_t chunks = ceil_div(o_.in.rows, kChunk);
    const size_t bytes = static_cast<size_t>(std::max<int64_t>(starts()[o_.groups], 1)) * 4;
    if (!lists_.in.reserve(bytes) || !lists_.out.reserve(bytes)) return no_memory();
    return for_each_chunk([&](int64_t g, int64_t chunk, int64_t first, int64_t rows, const int64_t* const* c) {
      int32_t *in = lists_.in.as<int32_t>() + begin_[g * chunks + chunk], *out = lists_.out.as<int32_t>() + begin_[g * chunks + chunk];
      for_each_match(rows, c, [&](int64_t r, int32_t output) {
        *in++ = static_cast<int32_t>(first + r);
        *out++ = output;
      });
    });
  }

  const MapOptions& o_;
  const int axes_;
  PairLists& lists_;
  Keys steps_ = {};
  std::vector<Axis> of_axis_;
  std::vector<int64_t> column_;  // [groups][axes]
  int64_t columns_ = 0;
  std::vector<int64_t> begin_;  // [groups][chunks]: where their pairs do
  AlignedBuffer outputs_;       // keys, and a larger one
  int64_t out_rows_ = 0;
};

}  // namespace

Status reach_pairs(const MapOptions& options, PairLists* lists, AlignedBuffer* out_coords, int64_t* out_rows) {
  return Reach(options, lists).run(out_coords, out_rows);
}

}  // namespace sk

// Every (input, offset) has at most one output. Under one offset these candidates ascend as the inputs do, so the output sites are the
// union of sorted lists, and the row of each candidate's output is found by a walk along the sorted outputs.
#include "reach.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "../core/parallel.h"

namespace sk {
namespace {

constexpr int64_t kChunk = 4096;       // input rows of one task: their contributions stay in L2
constexpr int64_t kUnionPart = 16384;  // candidates of one task of the union, roughly

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
    if (Status status = candidates(); !status.ok()) return status;
    if (o_.outputs == MapOutputs::kReached) {
      if (Status status = unite(); !status.ok()) return status;
      if (Status status = coordinates(out_coords); !status.ok()) return status;
    } else {
      if (Status status = site_keys(o_.out_grid, steps_, o_.out, &outputs_); !status.ok()) return status;
      out_rows_ = o_.out.rows;
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

  // Calls use(task's group, chunk, first row, rows, key of row r or negative) for every chunk and group, in parallel over chunks.
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

  // keys_ and lists_.in: the candidates of every group, in ascending order.
  Status candidates() {
    const int64_t chunks = ceil_div(o_.in.rows, kChunk), groups = o_.groups;
    std::vector<int64_t> counts(static_cast<size_t>(groups * chunks));  // [group][chunk], then where the chunk's candidates begin
    if (Status status = for_each_chunk([&](int64_t g, int64_t chunk, int64_t, int64_t rows, const int64_t* const* c) {
          int64_t count = 0;
          for_each_key(rows, c, [&count](int64_t, int64_t sign, int64_t) { count += sign >= 0; });
          counts[g * chunks + chunk] = count;
        });
        !status.ok())
      return status;
    if (!lists_.starts.reserve(static_cast<size_t>(groups + 1) * 8)) return no_memory();
    int64_t* starts = lists_.starts.as<int64_t>();
    int64_t total = 0;
    for (int64_t g = 0; g < groups; ++g) {
      starts[g] = total;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const int64_t count = counts[g * chunks + chunk];
        counts[g * chunks + chunk] = total;
        total += count;
      }
    }
    starts[groups] = total;
    // One element more: the loop below writes before it knows whether the candidate counts.
    if (!keys_.reserve(static_cast<size_t>(total + 1) * 8) || !lists_.in.reserve(static_cast<size_t>(total + 1) * 4) ||
        !lists_.out.reserve(static_cast<size_t>(total + 1) * 4))
      return no_memory();
    return for_each_chunk([&](int64_t g, int64_t chunk, int64_t first, int64_t rows, const int64_t* const* c) {
      int64_t* keys = keys_.as<int64_t>() + counts[g * chunks + chunk];
      int32_t* in = lists_.in.as<int32_t>() + counts[g * chunks + chunk];
      for_each_key(rows, c, [&](int64_t r, int64_t sign, int64_t key) {
        if (sign < 0) return;
        *keys++ = key;
        *in++ = static_cast<int32_t>(first + r);
      });
    });
  }

  // outputs_: the distinct candidates in ascending order, and a sentinel. Each task unites one range of keys.
  Status unite() {
    const int64_t* starts = lists_.starts.as<int64_t>();
    const int64_t* keys = keys_.as<int64_t>();
    int64_t longest = 0;
    for (int64_t g = 1; g < o_.groups; ++g)
      if (starts[g + 1] - starts[g] > starts[longest + 1] - starts[longest]) longest = g;
    const int64_t length = starts[longest + 1] - starts[longest];
    const int64_t parts = std::max<int64_t>(1, std::min(length, starts[o_.groups] / kUnionPart));
    const auto bound = [&](int64_t g, int64_t part) {  // of a group's candidates before a part
      if (part == 0) return starts[g];
      if (part == parts) return starts[g + 1];
      const int64_t splitter = keys[starts[longest] + length / parts * part];
      return std::lower_bound(keys + starts[g], keys + starts[g + 1], splitter) - keys;
    };
    std::vector<AlignedBuffer> found(static_cast<size_t>(parts));
    std::vector<int64_t> counts(static_cast<size_t>(parts));
    std::atomic<bool> failed{false};
    parallel_for(parts, 1024, [&](int64_t part, int) {
      int64_t size = 0;
      for (int64_t g = 0; g < o_.groups; ++g) size += bound(g, part + 1) - bound(g, part);
      auto* scratch = static_cast<int64_t*>(thread_scratch(static_cast<size_t>(2 * size + o_.groups + 1) * 8));
      if (scratch == nullptr) {
        failed.store(true);
        return;
      }
      int64_t *from = scratch, *to = scratch + size, *ends = scratch + 2 * size;
      int64_t runs = 0, end = 0;
      for (int64_t g = 0; g < o_.groups; ++g) {
        const int64_t first = bound(g, part), count = bound(g, part + 1) - first;
        if (count == 0) continue;
        std::copy_n(keys + first, count, from + end);
        end += count;
        ends[runs++] = end;
      }
      for (; runs > 1; runs = (runs + 1) / 2) {  // pairs of runs become one; groups beside each other share most of their outputs
        int64_t* write = to;
        int64_t first = 0;
        for (int64_t r = 0; r < runs; r += 2) {
          const int64_t middle = ends[r], last = r + 1 < runs ? ends[r + 1] : middle;
          write = std::set_union(from + first, from + middle, from + middle, from + last, write);
          first = last;
          ends[r / 2] = write - to;
        }
        std::swap(from, to);
      }
      counts[part] = runs == 0 ? 0 : ends[0];
      if (found[part].reserve(static_cast<size_t>(counts[part]) * 8))
        std::copy_n(from, counts[part], found[part].as<int64_t>());
      else
        failed.store(true);
    });
    for (const int64_t count : counts) out_rows_ += count;
    if (out_rows_ >= std::numeric_limits<int32_t>::max())
      return Status(Code::kMemory, "expected less than 2^31 output sites but the map would have " + std::to_string(out_rows_));
    if (failed.load() || !outputs_.reserve(static_cast<size_t>(out_rows_ + 1) * 8)) return no_memory();
    int64_t* outputs = outputs_.as<int64_t>();
    for (int64_t part = 0; part < parts; outputs += counts[part++]) std::copy_n(found[part].as<int64_t>(), counts[part], outputs);
    *outputs = std::numeric_limits<int64_t>::max();
    return Status();
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

  // lists_.out: the row of every candidate's output. Candidates without one (given output sites) are dropped.
  Status match() {
    const int64_t groups = o_.groups;
    int64_t* starts = lists_.starts.as<int64_t>();
    const int64_t *keys = keys_.as<int64_t>(), *outputs = outputs_.as<int64_t>();
    int32_t *in = lists_.in.as<int32_t>(), *out = lists_.out.as<int32_t>();
    std::vector<int64_t> counts(static_cast<size_t>(groups));
    parallel_for(groups, 1024, [&](int64_t g, int) {
      int64_t kept = starts[g], j = 0;
      for (int64_t p = starts[g]; p < starts[g + 1]; ++p) {
        while (outputs[j] < keys[p]) ++j;
        in[kept] = in[p];
        out[kept] = static_cast<int32_t>(j);
        kept += outputs[j] == keys[p];
      }
      counts[g] = kept - starts[g];
    });
    if (o_.outputs == MapOutputs::kReached) return Status();  // nothing was dropped
    int64_t end = 0;
    for (int64_t g = 0; g < groups; ++g) {
      if (end < starts[g]) {
        std::copy_n(in + starts[g], counts[g], in + end);
        std::copy_n(out + starts[g], counts[g], out + end);
      }
      starts[g] = end;
      end += counts[g];
    }
    starts[groups] = end;
    return Status();
  }

  const MapOptions& o_;
  const int axes_;
  PairLists& lists_;
  Keys steps_ = {};
  std::vector<Axis> of_axis_;
  std::vector<int64_t> column_;  // [groups][axes]
  int64_t columns_ = 0;
  AlignedBuffer keys_, outputs_;
  int64_t out_rows_ = 0;
};

}  // namespace

Status reach_pairs(const MapOptions& options, PairLists* lists, AlignedBuffer* out_coords, int64_t* out_rows) {
  return Reach(options, lists).run(out_coords, out_rows);
}

}  // namespace sk

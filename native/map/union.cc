// Each task unites the parts of all lists that lie in one range of keys: pairs of lists become one, until one is left.
#include "union.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <vector>

#include "../core/parallel.h"

namespace sk {
namespace {

constexpr int64_t kPart = 16384;  // keys of one task, roughly

// The union of runs, run r at from[ends[r - 1] .. ends[r]); `to` has as much room as `from`. Where it lies, and its end.
int64_t* merge(int64_t* from, int64_t* to, int64_t* ends, int64_t runs, int64_t* count) {
  for (; runs > 1; runs = (runs + 1) / 2) {  // lists beside each other have most of their keys in common
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
  *count = runs == 0 ? 0 : ends[0];
  return from;
}

}  // namespace

Status unite(const int64_t* keys, const int64_t* starts, int64_t groups, AlignedBuffer* united, int64_t* count) {
  int64_t longest = 0;
  for (int64_t g = 1; g < groups; ++g)
    if (starts[g + 1] - starts[g] > starts[longest + 1] - starts[longest]) longest = g;
  const int64_t length = starts[longest + 1] - starts[longest];
  const int64_t parts = std::max<int64_t>(1, std::min(length, starts[groups] / kPart));
  const auto bound = [&](int64_t g, int64_t part) {  // of a list's keys before a part
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
    for (int64_t g = 0; g < groups; ++g) size += bound(g, part + 1) - bound(g, part);
    auto* scratch = static_cast<int64_t*>(thread_scratch(static_cast<size_t>(2 * size + groups + 1) * 8));
    if (scratch == nullptr) {
      failed.store(true);
      return;
    }
    int64_t* ends = scratch + 2 * size;
    int64_t runs = 0, end = 0;
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t first = bound(g, part), keys_of_part = bound(g, part + 1) - first;
      if (keys_of_part == 0) continue;
      std::copy_n(keys + first, keys_of_part, scratch + end);
      end += keys_of_part;
      ends[runs++] = end;
    }
    const int64_t* merged = merge(scratch, scratch + size, ends, runs, &counts[static_cast<size_t>(part)]);
    if (found[part].reserve(static_cast<size_t>(counts[part]) * 8))
      std::copy_n(merged, counts[part], found[part].as<int64_t>());
    else
      failed.store(true);
  });
  *count = 0;
  for (const int64_t of_part : counts) *count += of_part;
  if (*count >= std::numeric_limits<int32_t>::max())
    return Status(Code::kMemory, "expected less than 2^31 output sites but the map would have " + std::to_string(*count));
  if (failed.load() || !united->reserve(static_cast<size_t>(*count + 1) * 8))
    return Status(Code::kMemory, "no memory for the pairs of a map");
  int64_t* to = united->as<int64_t>();
  for (int64_t part = 0; part < parts; to += counts[part++]) std::copy_n(found[part].as<int64_t>(), counts[part], to);
  *to = std::numeric_limits<int64_t>::max();
  return Status();
}

}  // namespace sk

#include "lists.h"

#include <algorithm>
#include <string>

namespace sk {
namespace {

std::string at(const char* name, int64_t row) { return std::string(name) + " of row " + std::to_string(row); }

// A set of keys that reports what is added twice.
class KeySet {
 public:
  bool reserve(int64_t keys) {
    const size_t bytes = static_cast<size_t>(keys / 64 + 1) * sizeof(uint64_t);
    if (!words_.reserve(bytes)) return false;
    std::fill_n(words_.as<uint64_t>(), bytes / sizeof(uint64_t), uint64_t{0});
    return true;
  }
  // Adds or removes [begin, end); the first key that was there, or -1.
  int64_t set(int64_t begin, int64_t end, bool present) {
    int64_t found = -1;
    for (int64_t key = begin; key < end;) {
      const int64_t last = std::min(end, key / 64 * 64 + 64), bits = last - key;
      const uint64_t mask = (bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1) << (key % 64);
      uint64_t& word = words_.as<uint64_t>()[key / 64];
      if (found < 0 && (word & mask) != 0) found = key / 64 * 64 + __builtin_ctzll(word & mask);
      word = present ? word | mask : word & ~mask;
      key = last;
    }
    return found;
  }

 private:
  AlignedBuffer words_;
};

}  // namespace

Status Lists::copy(const ListsView& view, int64_t rows, int64_t ids, const char* name) {
  if (view.rows == 0) return Status();
  if (view.rows != rows)
    return Status(Code::kShape,
                  std::string("expected ") + name + " to have " + std::to_string(rows) + " rows but received " + std::to_string(view.rows));
  int64_t total = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t start = view.start[r], count = view.count[r];
    if (start < 0 || count < 0 || start + count > view.length)
      return Status(Code::kLists, "expected the " + at(name, r) + " to lie in an index of " + std::to_string(view.length) +
                                      " ids but received start " + std::to_string(start) + " and count " + std::to_string(count));
    for (int64_t i = start; i < start + count; ++i)
      if (view.index[i] < 0 || view.index[i] >= ids)
        return Status(Code::kLists, "expected the " + at(name, r) + " to be ids from 0 to " + std::to_string(ids - 1) + " but received " +
                                        std::to_string(view.index[i]));
    total += count;
  }
  if (!starts_.reserve(static_cast<size_t>(rows + 1) * sizeof(int64_t)) || !index_.reserve(static_cast<size_t>(total) * sizeof(int32_t)))
    return Status(Code::kMemory, std::string("no memory for a copy of ") + name);
  int64_t* starts = starts_.as<int64_t>();
  starts[0] = 0;
  for (int64_t r = 0; r < rows; ++r) {
    std::copy_n(view.index + view.start[r], view.count[r], index_.as<int32_t>() + starts[r]);
    starts[r + 1] = starts[r] + view.count[r];
  }
  empty_ = false;
  total_ = total;
  return Status();
}

int64_t KeyLists::length_within(int64_t row, int64_t keys) const {
  int64_t sum = columns.count(row);
  for (const Lists* list : {&tiles, &full_tiles})
    for (int64_t i = 0; i < list->count(row); ++i) sum += std::min(tile_keys, keys - list->row(row)[i] * id_keys);
  return sum;
}

Status KeyLists::check_unique(int64_t rows, int64_t keys) const {
  KeySet seen;
  if (!seen.reserve(keys)) return Status(Code::kMemory, "no memory to look for repeated keys");
  for (int64_t r = 0; r < rows; ++r) {
    int64_t twice = -1;
    for (const bool present : {true, false}) {  // the second time takes the row's keys out again
      const auto mark = [&](int64_t begin, int64_t count) {
        const int64_t found = seen.set(begin, std::min(begin + count, keys), present);
        if (present && twice < 0) twice = found;
      };
      for (const Lists* list : {&tiles, &full_tiles})
        for (int64_t i = 0; i < list->count(r); ++i) mark(list->row(r)[i] * id_keys, tile_keys);
      for (int64_t i = 0; i < columns.count(r); ++i) mark(columns.row(r)[i], 1);
    }
    if (twice >= 0)
      return Status(Code::kLists,
                    "expected row " + std::to_string(r) + " to list every key once but received key " + std::to_string(twice) + " twice");
  }
  return Status();
}

}  // namespace sk

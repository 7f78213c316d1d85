// Lists of keys, one per row of a plan: checked once, copied (JavaScript may change its arrays), walked by runs.
#pragma once

#include <cstdint>

#include "../core/memory.h"
#include "../core/status.h"

namespace sk {

// Row r lists index[start[r]] .. index[start[r] + count[r] - 1]; rows 0: no lists at all.
struct ListsView {
  const int32_t *start, *count, *index;
  int64_t rows, length;
};

// The lists of all rows, one behind the other.
class Lists {
 public:
  // Checks that every range lies in the index and that every id is in [0, ids). `name` is for messages.
  Status copy(const ListsView& view, int64_t rows, int64_t ids, const char* name);

  int64_t count(int64_t row) const { return empty_ ? 0 : starts()[row + 1] - starts()[row]; }
  int64_t total() const { return total_; }
  const int32_t* row(int64_t row) const { return empty_ ? nullptr : index_.as<int32_t>() + starts()[row]; }
  size_t bytes() const { return starts_.bytes() + index_.bytes(); }

 private:
  const int64_t* starts() const { return starts_.as<int64_t>(); }

  bool empty_ = true;
  int64_t total_ = 0;
  AlignedBuffer starts_, index_;
};

// What the rows of a plan list, together.
struct KeyLists {
  Lists tiles, full_tiles, columns;
  int64_t tile_keys;  // of a tile
  int64_t id_keys;    // the tile of id i begins at key i * id_keys
  int64_t ids;        // of tiles

  // Keys of a row, where tiles that reach past the last key count in full.
  int64_t length(int64_t row) const { return (tiles.count(row) + full_tiles.count(row)) * tile_keys + columns.count(row); }

  // Those of them that exist.
  int64_t length_within(int64_t row, int64_t keys) const;

  // Looks for a key that a row lists twice.
  Status check_unique(int64_t rows, int64_t keys) const;
};

}  // namespace sk

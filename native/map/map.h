// map: which input row meets which output row under which weight: the rulebook of sparse convolution, as grouped index pairs.
//
//   pairs of group g:  in[starts[g] .. starts[g + 1]),  out[starts[g] .. starts[g + 1])      both strictly increasing inside a group
//
// A site is a batch index and 1 to 4 coordinates. Sites are always in ascending linear key (batch-major, last axis fastest); that order is
// what makes the lists of every group ascend, so that maps need no hashing, results no atomics, and both are the same on every machine.
//
// Group g has an offset d[g] per axis. Output site o and input site i of the same batch index meet under g if, on every axis,
//   i = o * stride + d[g]     (convolution, pooling)            d = r * dilation - padding for kernel index r
//   o = i * stride + d[g]     (transposed)
//
// Floor of building: every (site, offset) must be looked at once, a few cycles each; what is found is written once, 8 bytes a pair.
#pragma once

#include <cstdint>
#include <memory>

#include "../core/memory.h"
#include "../core/pairs.h"
#include "../core/status.h"
#include "sites.h"

namespace sk {

// Where output sites come from.
enum class MapOutputs : int {
  kSame = 0,     // they are the input sites (stride 1, equal grids): submanifold
  kReached = 1,  // every site of the output grid that some input meets
  kGiven = 2,    // the caller names them
};

struct MapOptions {
  Grid in_grid, out_grid;
  Sites in, out;  // out: for kGiven
  MapOutputs outputs = MapOutputs::kReached;
  bool transposed = false;
  int64_t stride[kMaxAxes] = {1, 1, 1, 1};
  const int32_t* offsets = nullptr;  // d [groups, axes]
  int64_t groups = 0;
};

// kShape, kMemory: extents, strides or counts that no map can have. What the sites are is not looked at.
Status check_map(const MapOptions& options);

// The pairs themselves; shared by a map and its swapped twin.
struct PairLists {
  AlignedBuffer starts;   // int64 [groups + 1]
  AlignedBuffer in, out;  // int32 [pairs]
};

struct Tiles;

// Immutable.
class Map {
 public:
  static Status build(const MapOptions& options, std::shared_ptr<const Map>* map);

  // The same pairs with in and out exchanged: inverse convolution, and every gradient towards the input. Shares the memory.
  std::shared_ptr<const Map> swapped() const;

  int64_t groups() const { return groups_; }
  int64_t in_rows() const { return in_rows_; }
  int64_t out_rows() const { return out_rows_; }
  int64_t pairs() const { return starts()[groups_]; }
  const int64_t* starts() const { return lists_->starts.as<int64_t>(); }
  const int32_t* in() const { return (swapped_ ? lists_->out : lists_->in).as<int32_t>(); }
  const int32_t* out() const { return (swapped_ ? lists_->in : lists_->out).as<int32_t>(); }
  PairsView view() const { return {groups_, starts(), in(), out(), in_rows_, out_rows_, tiles_view()}; }
  const TilesView* tiles_view() const;  // null where the sites are no whole tiles
  size_t bytes() const { return static_cast<size_t>(groups_ + 1) * 8 + static_cast<size_t>(pairs()) * 8; }

  // Output sites [out_rows, out_width] where build() found them (kReached); out_width is 0 elsewhere.
  const int32_t* out_coords() const { return out_coords_.as<int32_t>(); }
  int64_t out_width() const { return out_width_; }

 private:
  Map() = default;

  std::shared_ptr<const PairLists> lists_;
  std::shared_ptr<const Tiles> tiles_;
  AlignedBuffer out_coords_;
  int64_t groups_ = 0, in_rows_ = 0, out_rows_ = 0, out_width_ = 0;
  bool swapped_ = false;
};

}  // namespace sk

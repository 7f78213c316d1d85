// What building a map on a device asks of its kernels. No CUDA headers. All pointers are to device memory; the functions put work on the
// stream and return a cudaError_t.
//
// Floor: every (output, offset) is looked up once, a binary search among the keys of the inputs for each run of offsets that are
// neighbours on the last axis; every table is written once, 4 bytes an entry.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../cuda/map_view.h"
#include "../sites.h"

namespace sk {

// What the host learns, with one copy.
struct MapFindings {
  unsigned long long in_bad, out_bad;  // rows - the first row that is outside its grid or not after the row before; 0: none
  unsigned long long candidates;       // pairs of an input and an offset whose output lies in the grid
  unsigned long long outputs;          // distinct ones among these
  unsigned long long pairs;
};

int launch_clear(void* to, size_t bytes, void* stream);                   // zeros
int launch_copy(void* to, const void* from, size_t bytes, void* stream);  // inside the device

// A grid as kernels see it: axes from 1 on, 0 is the batch.
struct SiteGrid {
  int32_t axes;
  int64_t extent[1 + kMaxAxes], step[1 + kMaxAxes];
};

struct SiteKeysRun {
  const int32_t* coords;  // [rows, 1 + axes]
  int64_t rows;
  SiteGrid grid;
  int64_t* keys;            // [rows + 1]: the last is larger than any
  unsigned long long* bad;  // of MapFindings
};
int launch_site_keys(const SiteKeysRun& run, void* stream);

// Offsets in ascending order, so that neighbours on the last axis form runs: [starts[r], starts[r + 1]).
struct MapOffsets {
  const int32_t *offsets, *group;  // [groups][axes]; the group of each
  const int32_t* starts;           // [runs + 1]
  int64_t groups, runs;
  int64_t stride[kMaxAxes];
  bool transposed;
};

// Output keys of all (input, offset) that have one, in any order.
struct CandidatesRun {
  const int32_t* in;
  int64_t in_rows;
  SiteGrid out_grid;
  MapOffsets offsets;
  uint64_t* keys;  // as many as `findings->candidates` will say
  MapFindings* findings;
};
int launch_candidates(const CandidatesRun& run, void* stream);

// Of ascending keys, `findings->candidates` of at most `capacity`: each once, in order; `findings->outputs` of them.
struct UniqueRun {
  const uint64_t* keys;
  uint64_t* unique;
  int64_t capacity;
  int32_t* counts;  // [unique_blocks(capacity)]
  MapFindings* findings;
};
int64_t unique_blocks(int64_t capacity);
int launch_unique(const UniqueRun& run, void* stream);

// coords [rows, 1 + axes] of keys.
int launch_coordinates(const uint64_t* keys, int64_t rows, const SiteGrid& grid, int32_t* coords, void* stream);

// natural [groups][positions]: the input row of every output row under every group, or -1.
struct MatchRun {
  const int32_t* out;  // [out_rows, 1 + axes]
  int64_t out_rows, positions;
  const int64_t* in_keys;
  int64_t in_rows;
  SiteGrid in_grid;
  MapOffsets offsets;
  int32_t* natural;
};
int launch_match(const MatchRun& run, void* stream);

// natural of the map with in and out exchanged, from the tables of a map: `to` [groups][to_positions].
int launch_swap(const int32_t* rows, const int32_t* order, int64_t groups, int64_t out_rows, int64_t positions, int32_t* to,
                int64_t to_positions, void* stream);

// masks [out_rows]: keys that put rows of the same groups together, those of most groups mostly first, as `mask_bits(groups)` low bits;
// order [out_rows]: 0, 1, ..; adds to findings->pairs.
int mask_bits(int64_t groups);
int launch_masks(const int32_t* natural, int64_t groups, int64_t out_rows, int64_t positions, uint64_t* masks, int32_t* order,
                 MapFindings* findings, void* stream);

// The tables of native/cuda/map_view.h, from natural, order and the masks in that order.
int launch_arrange(const int32_t* natural, const int32_t* order, const uint64_t* masks, int64_t groups, int64_t out_rows, int64_t positions,
                   int32_t* rows, int32_t* counts, int32_t* active, void* stream);

// Numbers of a pooling map, in the order of lib/conv/windows.ts.
enum class WindowNumber : int {
  kLeast = 0,          // where a maximum starts: 0 where there is no input
  kLeastOfGrid = 1,    // 0 also where a cell of the window inside the grid has none
  kPerInput = 2,       // what a sum is multiplied by: one over the inputs
  kPerCellInside = 3,  // one over the cells inside the grid
  kPerCell = 4,        // one over all cells
};

// Cell c of the window of output o is at o * stride + first + c * dilation.
struct WindowAxis {
  int32_t cells, first, dilation, stride, extent;
};

struct WindowsRun {
  CudaMapView map;
  WindowNumber kind;
  const int32_t* coords;  // [out_rows, 1 + axes], for the kinds that ask for the grid
  int axes;
  WindowAxis axis[kMaxAxes];
  float* numbers;  // [out_rows]
};
int launch_windows(const WindowsRun& run, void* stream);

// Ascending, stable. Of `capacity` keys, or of as many of them as `count` says.
struct SortRun {
  uint64_t *keys, *other_keys;     // [capacity] each; what is sorted ends where `keys` points to
  int32_t *values, *other_values;  // go along; null: none
  int64_t capacity;
  const unsigned long long* count;  // null: capacity
  int bits;                         // of the keys, the low ones
  int32_t* scratch;                 // [sort_scratch(capacity)]
};
int64_t sort_scratch(int64_t capacity);
int launch_sort(SortRun* run, void* stream);

}  // namespace sk

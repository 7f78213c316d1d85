// The pairs of a map, as the map lends them to the verbs that work over one.
#pragma once

#include <cstdint>

namespace sk {

// Output sites of an image that come in whole tiles, whose inputs do too: one window of inputs, in the order of a dense image, holds all
// that a tile needs. All tiles have the same extents, so a window is the same few segments of rows for each.
//
//   tile (4 x 4) in its window (kernel 3 x 3):  + - - - - +
//                                               | t t t t |    line 1: segments of 1, 4 and 1 columns, of the tiles on the left, here and
//                                               on | t t t t |    the right; each segment is so many consecutive input rows, or absent |
//                                               ...     |
struct TilesView {
  int64_t tiles;
  int64_t height, width;                // output sites of a tile
  int64_t window_height, window_width;  // input sites of a window
  int64_t stride[2];                    // in input sites, from an output to the next
  int64_t segments;                     // of a line of a window
  const int64_t* columns;               // [segments + 1] where they begin in a line
  const int32_t* in;                    // [tiles][window_height][segments] first input row, or -1
  const int32_t* out;                   // [tiles][height] first output row of a line
  const int64_t* places;                // [groups] what a tile's first output meets under a group: line * window_width + column
};

// Grouped: those of group g are [starts[g], starts[g + 1]). Both columns strictly ascend inside a group, and every index is inside its
// rows.
struct PairsView {
  int64_t groups;
  const int64_t* starts;  // [groups + 1]
  const int32_t *in, *out;
  int64_t in_rows, out_rows;
  const TilesView* tiles;  // the same pairs once more, or null
};

}  // namespace sk

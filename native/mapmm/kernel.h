// What mapmm.cc and the ISA files share: the packed weight and the moves that one kernel row offers. Plain data, no inline code.
//
// Legend: L lanes of the vector. A split is one channel group of a grouped convolution (1 for the usual kind); `in` and `out` are channels
// of one split. A panel is 2 L output channels of a split, the last one L if no more are needed.
//
// Packed weight of dense kernels:       [splits][groups][panels][in][width of the panel], output channels padded with zeros to L
// Packed weight of depthwise kernels:   [groups][channels padded to L]                    (a block has one split, in = 1, out = all
// channels)
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/pairs.h"

namespace sk {

// Activations of the fused epilogue.
enum class MapActivation : int { kNone = 0, kRelu = 1 };

// One block of output rows, and of output channels: all groups, epilogue included.
struct MapmmBlock {
  // The pairs of the block: of group g those in [begin[g], end[g]).
  int64_t groups;
  const int64_t *begin, *end;
  const int32_t *in_row, *out_row;
  int64_t first_row, rows;  // output rows

  const float* x;       // [.., x_channels]
  int64_t x_channels;   // splits * in
  const float* weight;  // packed, of the whole plan
  int64_t in, out, out_padded;
  int64_t first_split, splits;  // of the block
  int64_t first_out, outs;      // output channels of every split of the block; multiples of a panel, unless they are the last
  const float* bias;            // [all splits * out_padded], zeros where there is none
  MapActivation activation;
  float* acc;          // scratch [rows][splits * outs], 64-byte aligned
  float* y;            // [.., y_channels]
  int64_t y_channels;  // all splits * out
};

// Some tiles of the output and all of their channels, epilogue included; one split.
struct MapmmTiles {
  const TilesView* tiles;
  int64_t groups;
  int64_t first, count;  // of the tiles

  const float* x;  // [.., x_channels]
  int64_t x_channels;
  const float *weight, *bias;  // packed, of the whole plan
  int64_t in, out, out_padded;
  MapActivation activation;
  float* windows;        // scratch [count][window_height][window_width][x_channels, of depthwise kernels padded to L], 64-byte aligned
  float* acc;            // scratch of dense kernels [outputs of the tiles][panel], 64-byte aligned
  int64_t* deltas;       // scratch [groups]
  const float** inputs;  // scratch [outputs of the tiles]
  float** outputs;       // scratch, as many
  float* y;              // [.., out]
};

struct MapmmKernel {
  const char* name;  // mapmm_f32_dense_avx2
  bool depthwise;
  int lanes;
  void (*run)(const MapmmBlock& block);        // pairs of a map: what is absent costs nothing
  void (*run_tiles)(const MapmmTiles& block);  // windows of a map's tiles: sums stay in registers from group to group
};

}  // namespace sk

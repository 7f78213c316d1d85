// Scores of single keys or pages: multiply a tile -> make the heads of a group one -> store.
//
// Rows of a tile are (query, query head) pairs of one key-value head, so that its keys are read once for all of them. Where the heads of
// a group become one, they are neighbours in the tile.
#pragma once

#include "tile.h"

namespace sk {

// Grid: tiles of keys, tiles of rows, (batch entry, key-value head) pairs.
template <class Tile, bool kBounds>
__global__ void __launch_bounds__(kScoreThreads) score_tiles(const __grid_constant__ ScoreCudaRun run) {
  __shared__ ScoreStage<Tile, kBounds> stages;
  __shared__ float scores[Tile::kRows][Tile::kKeys + 1];
  const int64_t unit = blockIdx.z, batch = unit / run.kv_heads, kv_head = unit % run.kv_heads;
  // A cell of the result has `together` rows of the tile at a time.
  const int together = min(run.members, Tile::kRows), cells = Tile::kRows / together;
  const int64_t all_cells = static_cast<int64_t>(run.group / run.members) * run.queries,
                first_cell = static_cast<int64_t>(blockIdx.y) * cells;
  const int first_key = static_cast<int>(blockIdx.x) * Tile::kKeys;
  const auto key_of = [&](int j) -> const char* {
    return first_key + j < run.keys ? score_row(run.k, batch, kv_head, first_key + j) : nullptr;
  };
  for (int member = 0; member < run.members; member += together) {
    const auto query_of = [&](int r) -> const char* {
      const int64_t cell = first_cell + r / together;
      const int64_t head = run.members > 1 ? member + r % together : cell / run.queries;
      if (r / together >= cells || cell >= all_cells || head >= run.group) return nullptr;
      return score_row(run.q, batch, kv_head * run.group + head, cell % run.queries);
    };
    float sum[Tile::kI][Tile::kJ];
    multiply_tile<Tile, kBounds>(run, stages, query_of, key_of, sum);
    share<Tile>(scores, sum);
    for (int at = threadIdx.x; at < cells * Tile::kKeys; at += kScoreThreads) {
      const int key = first_key + at % Tile::kKeys;
      const int64_t cell = first_cell + at / Tile::kKeys;
      if (key >= run.keys || cell >= all_cells) continue;
      float* to = run.out + (unit * all_cells + cell) * run.keys + key;
      if (key >= limit_of(run, static_cast<int32_t>(cell % run.queries))) {
        *to = -INFINITY;
        continue;
      }
      float score = 0;
      for (int g = 0; g < together && member + g < run.members; ++g) {
        const float own = scores[at / Tile::kKeys * together + g][at % Tile::kKeys] * run.scale;
        score = g == 0 ? own : run.greatest ? fmaxf(score, own) : score + own;
      }
      *to = member == 0 ? score : run.greatest ? fmaxf(*to, score) : *to + score;
    }
  }
}

}  // namespace sk

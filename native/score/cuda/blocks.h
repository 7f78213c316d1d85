// Scores of tiles of queries and keys: multiply -> the greatest score of each tile, or the sum of e^(score - lse). No score leaves the
// block of threads, so that a map of all tokens is never stored.
#pragma once

#include "tile.h"

namespace sk {

// Sums or maxima of columns of a block of threads, those of a tile of keys together; in a fixed order, so results do not depend on timing.
template <bool kMass>
__device__ inline float fold(float a, float b) {
  return kMass ? a + b : fmaxf(a, b);
}

// Grid: as many tiles of keys as fit into one of ManyRows, or one; blocks of queries; (batch entry, head of the result) pairs.
template <bool kMass>
__global__ void __launch_bounds__(kScoreThreads) score_blocks(const __grid_constant__ ScoreCudaRun run) {
  using Tile = ManyRows;
  constexpr float kNone = kMass ? 0.0f : -INFINITY, kLog2E = 1.44269504088896341f;
  __shared__ ScoreStage<Tile, false> stages;
  __shared__ float scores[Tile::kRows][Tile::kKeys + 1], columns[2][Tile::kKeys];
  const int thread = static_cast<int>(threadIdx.x);
  const int heads = run.heads / run.members, q_blocks = (run.queries + run.block_q - 1) / run.block_q;
  const int k_blocks = (run.keys + run.block_k - 1) / run.block_k, together = max(Tile::kKeys / run.block_k, 1);
  const int64_t batch = blockIdx.z / heads, head = blockIdx.z % heads, first_query = static_cast<int64_t>(blockIdx.y) * run.block_q;
  const int64_t end_query = min(first_query + run.block_q, static_cast<int64_t>(run.queries));
  const int64_t first_key = static_cast<int64_t>(blockIdx.x) * together * run.block_k;
  const int64_t end_key = min(first_key + static_cast<int64_t>(together) * run.block_k, static_cast<int64_t>(run.keys));
  float total = kNone;  // of tile `thread`
  for (int member = 0; member < run.members; ++member) {
    const int64_t q_head = head * run.members + member;
    for (int64_t query = first_query; query < end_query; query += Tile::kRows) {
      // Causal limits grow: that of the last query is the greatest.
      const int64_t seen = run.causal ? limit_of(run, static_cast<int32_t>(min(query + Tile::kRows, end_query)) - 1) : run.keys;
      for (int64_t key = first_key; key < min(end_key, seen); key += Tile::kKeys) {
        float sum[Tile::kI][Tile::kJ];
        multiply_tile<Tile, false>(
            run, stages, [&](int r) -> const char* { return query + r < end_query ? score_row(run.q, batch, q_head, query + r) : nullptr; },
            [&](int j) -> const char* { return key + j < end_key ? score_row(run.k, batch, q_head / run.group, key + j) : nullptr; }, sum);
        share<Tile>(scores, sum);
        // Half of a column a thread.
        const int column = thread % Tile::kKeys, half = thread / Tile::kKeys;
        float part = kNone;
        for (int r = half * Tile::kRows / 2; r < (half + 1) * Tile::kRows / 2 && query + r < end_query; ++r) {
          const auto row = static_cast<int32_t>(query + r);
          if (key + column >= end_key || key + column >= limit_of(run, row)) continue;
          const float score = scores[r][column] * run.scale;
          if constexpr (kMass) {
            const float lse = run.lse[(batch * run.heads + q_head) * run.queries + row];
            if (lse != -INFINITY) part += exp2f((score - lse) * kLog2E);
          } else {
            part = fmaxf(part, score);
          }
        }
        columns[half][column] = part;
        __syncthreads();
        if (thread < together)
          for (int c = thread * run.block_k; c < min((thread + 1) * static_cast<int64_t>(run.block_k), int64_t{Tile::kKeys}); ++c)
            total = fold<kMass>(total, fold<kMass>(columns[0][c], columns[1][c]));
      }
    }
  }
  const int64_t block = first_key / run.block_k + thread;
  if (thread < together && block < k_blocks) run.out[(static_cast<int64_t>(blockIdx.z) * q_blocks + blockIdx.y) * k_blocks + block] = total;
}

}  // namespace sk

// The CUDA kernels of score: rows of kernels.def, and how each is launched. One kernel serves all element types, by a branch that never
// diverges.
#include <cuda_runtime.h>

#include "blocks.h"
#include "dot.h"
#include "rows.h"

namespace sk {
namespace {

unsigned blocks_of(int64_t n, int64_t each) { return static_cast<unsigned>((n + each - 1) / each); }
cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

template <class Tile, bool kBounds>
cudaError_t tiles(const ScoreCudaRun& run, void* stream) {
  const int cells = Tile::kRows / (run.members < Tile::kRows ? run.members : Tile::kRows);
  const int64_t all_cells = static_cast<int64_t>(run.group / run.members) * run.queries;
  const dim3 grid(blocks_of(run.keys, Tile::kKeys), blocks_of(all_cells, cells), static_cast<unsigned>(run.batches * run.kv_heads));
  score_tiles<Tile, kBounds><<<grid, kScoreThreads, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}
template <bool kBounds>
int scores(const ScoreCudaRun& run, void* stream) {
  const bool few = static_cast<int64_t>(run.group) * run.queries <= 2 * FewRows::kRows;
  return few ? tiles<FewRows, kBounds>(run, stream) : tiles<ManyRows, kBounds>(run, stream);
}

template <bool kMass>
int blocks(const ScoreCudaRun& run, void* stream) {
  const int64_t together = run.block_k < ManyRows::kKeys ? ManyRows::kKeys / run.block_k : 1;
  const dim3 grid(blocks_of(run.keys, together * run.block_k), blocks_of(run.queries, run.block_q),
                  static_cast<unsigned>(run.batches * (run.heads / run.members)));
  score_blocks<kMass><<<grid, kScoreThreads, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}

int softmax(const ScoreCudaRun& run, void* stream) {
  softmax_rows<<<static_cast<unsigned>(run.sequences * run.queries), kRowThreads, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}
int reduce(const ScoreCudaRun& run, const float* scores, void* stream) {
  reduce_groups<<<blocks_of(run.batches * run.kv_heads * run.queries * run.keys, kRowThreads), kRowThreads, 0, as_stream(stream)>>>(run,
                                                                                                                                    scores);
  return cudaGetLastError();
}
int lines(const ScoreCudaRun& run, void* stream) {
  sum_lines<<<blocks_of(run.sequences * run.keys, kRowThreads), kRowThreads, 0, as_stream(stream)>>>(run);
  return cudaGetLastError();
}

}  // namespace

#define SK_SCORE_CUDA(row, type, dtype)                                                                                 \
  extern const ScoreCudaKernel score_##row##_cuda = {"score_" #row "_cuda", scores<false>, scores<true>, blocks<false>, \
                                                     blocks<true>,          softmax,       reduce,       lines};
#include "../kernels.def"

}  // namespace sk

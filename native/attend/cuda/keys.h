// Which keys a task reads, chunk by chunk, and their way into shared memory.
//
// A chunk is 64 keys wherever they lie: threads 0 .. 63 each follow one of its slots through the lists and leave its token in shared
// memory, one chunk ahead of the copies. A stage holds the keys of a chunk and then its values, rows of kDim elements and 16 bytes of
// padding: neither the copies nor ldmatrix meet a bank twice then, and every address of a stage is one register and a constant.
#pragma once

#include "kernel.h"
#include "mma.h"

namespace sk {

template <int kDim>
struct AttendShape {
  static constexpr int kThreads = 128, kStages = 2;
  static constexpr int kRowBytes = kDim * 2 + 16, kTileBytes = kCudaKeys * kRowBytes, kStageBytes = 2 * kTileBytes;
  static constexpr int kSharedBytes = kStages * kStageBytes;
};

// Of the chunk that is computed, that which is copied and that which is looked up; four, so that a number is two bits.
struct ChunkTokens {
  static constexpr int kBuffers = 4;
  // No slot is empty, and rows of k and v fill theirs; nothing is cut off or added, for any row; rules do not cut these tiles.
  enum Flags : uint32_t { kPresent = 1, kPlain = 2, kUncut = 4 };
  int32_t token[kBuffers][kCudaKeys];  // -1: no key
  uint2 flags[kBuffers];               // of the halves

  __device__ uint32_t flags_of(int buffer) const {
    const uint2 halves = flags[buffer];
    return halves.x & halves.y;
  }
};

// What rows of the task see: positions [low, high]; `all`: what every row sees.
struct Sight {
  int32_t low, high;
};
__device__ inline Sight sight_of(const AttendCudaRun& run, const AttendCudaTask& task, int32_t length, int32_t query) {
  const int32_t position =
      run.query_positions ? run.query_positions[task.batch * run.query_positions_batch + query] : query + length - run.queries;
  return {run.window > 0 ? position - run.window + 1 : INT32_MIN, run.causal ? position : INT32_MAX};
}

// One slot of the chunks, for threads below 64. A chunk belongs to one of the three lists; the last chunk of each may have empty slots.
class KeyWalk {
 public:
  // whole: rows of k and v are as long as those of a stage.
  __device__ KeyWalk(const AttendCudaRun& run, const AttendCudaTask& task, int32_t length, Sight all, bool whole)
      : run_(run), list_(task.list), length_(length), all_(all), present_(whole ? ChunkTokens::kPresent : 0u) {
    plain_ = !run.key_bias && run.softcap == 0 && !run.key_positions ? ChunkTokens::kPlain : 0u;
    int all_chunks = 0, of_list[3];
    unrolled<3>([&](auto i) { all_chunks += of_list[i] = (keys_of(i) + kCudaKeys - 1) / kCudaKeys; });
    int skip = static_cast<int>(static_cast<int64_t>(all_chunks) * task.part / task.parts);
    chunks_ = static_cast<int>(static_cast<int64_t>(all_chunks) * (task.part + 1) / task.parts) - skip;
    int first = 0;
    while (first < 2 && skip >= of_list[first]) skip -= of_list[first++];
    enter(first, skip);
  }

  __device__ int chunks() const { return chunks_; }

  // Writes the slot's token of the next chunk.
  __device__ void next(ChunkTokens& tokens, int buffer) {
    while (left_ == 0) enter(phase_ + 1, 0);
    --left_;
    int32_t token = -1;
    if (tile_ < tiles_) token = index_[tile_] * id_keys_ + offset_;
    if (token >= length_) token = -1;
    tokens.token[buffer][threadIdx.x] = token;
    const bool seen = uncut_ || (token <= all_.high && (token >= all_.low || token < run_.sink_tokens));
    const bool present = __all_sync(0xffffffffu, token >= 0), plain = __all_sync(0xffffffffu, token >= 0 && seen);
    if (threadIdx.x % 32 == 0) (&tokens.flags[buffer].x)[threadIdx.x / 32] = (present ? present_ : 0u) | (plain ? plain_ : 0u) | uncut_;
    tile_ += tile_step_;
    offset_ += offset_step_;
    if (offset_ >= tile_keys_) offset_ -= tile_keys_, ++tile_;
  }

 private:
  __device__ const AttendCudaLists& lists(int phase) const { return phase == 0 ? run_.tiles : phase == 1 ? run_.full_tiles : run_.columns; }
  __device__ int count(int phase) const {
    const int64_t* start = lists(phase).start + list_;
    return static_cast<int>(start[1] - start[0]);
  }
  __device__ int keys_of(int phase) const { return count(phase) * (phase == 2 ? 1 : run_.tile_keys); }

  // Goes to a chunk of a list; behind the last one there are only empty slots.
  __device__ void enter(int phase, int chunk) {
    phase_ = phase;
    tiles_ = 0, left_ = INT32_MAX;
    if (phase == 3) return;
    tiles_ = count(phase);
    left_ = (keys_of(phase) + kCudaKeys - 1) / kCudaKeys - chunk;
    index_ = lists(phase).index + lists(phase).start[list_];
    uncut_ = phase == 1 ? ChunkTokens::kUncut : 0u;
    tile_keys_ = phase == 2 ? 1 : run_.tile_keys;
    id_keys_ = phase == 2 ? 1 : run_.id_keys;
    const int at = chunk * kCudaKeys + static_cast<int>(threadIdx.x);
    tile_ = at / tile_keys_;
    offset_ = at - tile_ * tile_keys_;
    tile_step_ = kCudaKeys / tile_keys_;
    offset_step_ = kCudaKeys - tile_step_ * tile_keys_;
  }

  const AttendCudaRun& run_;
  const int64_t list_;
  const int32_t* index_;
  int32_t length_, chunks_, phase_, left_, tiles_, tile_, offset_, tile_step_, offset_step_, tile_keys_, id_keys_;
  Sight all_;
  uint32_t present_, plain_, uncut_ = 0;
};

// Copies the rows of a chunk; those without a key become 0, and so do dims past head_dim.
template <int kDim>
class KeyLoader {
  using Shape = AttendShape<kDim>;
  static constexpr int kPieces = kDim / 8, kRowsAtOnce = Shape::kThreads / kPieces, kRows = kCudaKeys / kRowsAtOnce;

 public:
  __device__ KeyLoader(const AttendCudaRun& run, const AttendCudaTask& task) : token_bytes_(static_cast<int32_t>(run.k_token * 2)) {
    const int piece = threadIdx.x % kPieces, kv_head = task.head / (run.heads / run.kv_heads);
    row_ = static_cast<int>(threadIdx.x) / kPieces;
    to_ = ptx::kept(static_cast<uint32_t>(row_ * Shape::kRowBytes + piece * 16));
    inside_ = piece * 8 < run.head_dim;
    const int64_t first = (task.batch * run.k_batch + kv_head * run.k_head + (inside_ ? piece * 8 : 0)) * 2;
    k_ = ptx::kept(static_cast<const char*>(run.k) + first);
    v_ = ptx::kept(static_cast<const char*>(run.v) + first);
  }

  __device__ void load(const ChunkTokens& tokens, int buffer, uint32_t stage) const {
    const int32_t* token = tokens.token[buffer] + row_;
    if (tokens.flags_of(buffer) & ChunkTokens::kPresent)
      load_rows<true>(token, stage + to_);
    else
      load_rows<false>(token, stage + to_);
  }

 private:
  template <bool kAll>
  __device__ void load_rows(const int32_t* tokens, uint32_t to) const {
    unrolled<kRows>([&](auto r) {
      constexpr int kTo = r * kRowsAtOnce * Shape::kRowBytes;
      const int32_t token = tokens[r * kRowsAtOnce], row = kAll ? token : max(token, 0);
      const char *key = ptx::row_address(k_, row, token_bytes_), *value = ptx::row_address(v_, row, token_bytes_);
      if constexpr (kAll) {
        ptx::cp_async16<kTo>(to, key);
        ptx::cp_async16<kTo + Shape::kTileBytes>(to, value);
      } else {
        const int valid = token >= 0 && inside_ ? 16 : 0;
        ptx::cp_async16<kTo>(to, key, valid);
        ptx::cp_async16<kTo + Shape::kTileBytes>(to, value, valid);
      }
    });
  }

  const char *k_, *v_;
  int32_t token_bytes_, row_;
  uint32_t to_;
  bool inside_;
};

}  // namespace sk

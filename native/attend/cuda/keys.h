// Which keys a task reads, chunk by chunk, and their way into shared memory.
//
// A chunk is 64 keys (32 of large heads) wherever they lie. One warp follows the lists, one chunk ahead of the copies; most chunks are a
// run of keys that every row sees, and then a word says all. Otherwise it leaves the place of each key and what rows must know to see it. A
// stage holds the keys of a chunk and then its values, rows of kDim elements and 16 bytes of padding: neither the copies nor ldmatrix meet
// a bank twice then, and every address of a stage is one register and a constant.
#pragma once

#include "kernel.h"
#include "mma.h"

namespace sk {

template <int kDim>
struct AttendShape {
  static constexpr int kThreads = 128, kStages = 2;
  static constexpr int kKeys = kDim <= 128 ? 64 : 32;
  static constexpr int kRowBytes = kDim * 2 + 16, kTileBytes = kKeys * kRowBytes, kStageBytes = 2 * kTileBytes;
  // Where sums leave no registers for them, each lane's fragments of the queries.
  static constexpr int kQueryBytes = kDim <= 128 ? 0 : kThreads * kDim * 2;
  static constexpr int kSharedBytes = kStages * kStageBytes + kQueryBytes;
};

// A key as the rows see it: one at `position` is seen by those with low <= reach and position <= high, and `bias` is added.
struct __align__(16) KeySight {
  int32_t position, reach;
  float bias;  // in units of log2; -infinity: no key
};

// Of the chunk that is computed, that which is copied and that which is looked up; four, so that a number is two bits.
template <int kKeys>
struct ChunkKeys {
  static constexpr int kBuffers = 4;
  // No slot is empty, and rows of k and v fill theirs; they are kKeys rows from `first` on, one behind the other; every row of the task
  // sees them, as they are.
  enum Flags : uint32_t { kPresent = 1, kRun = 2, kPlain = 4 };
  struct Head {
    uint32_t flags;
    int32_t first;
  };
  Head head[kBuffers];
  // What follows is written for chunks that are not a plain run. Row of k and v; -1: no key.
  int32_t row[kBuffers][kKeys];
  KeySight sight[kBuffers][kKeys];
};

// One row of a kind of lists.
struct ListRow {
  const int32_t* index;
  int32_t count;
};
__device__ inline ListRow list_row(const AttendCudaLists& lists, int64_t row) {
  if (!lists.start) return {lists.index + row * lists.capacity, min(max(lists.count[row], 0), lists.capacity)};
  return {lists.index + lists.start[row], static_cast<int32_t>(lists.start[row + 1] - lists.start[row])};
}
// Whether the one who made a row failed.
__device__ inline bool list_failed(const AttendCudaRun& run, int64_t row) {
  const auto failed = [row](const AttendCudaLists& lists) { return !lists.start && lists.count[row] < 0; };
  return failed(run.tiles) || failed(run.full_tiles) || failed(run.columns);
}

// What rows of the task see: positions [low, high]; `all`: what every row sees.
struct Sight {
  int32_t low, high;
};
__device__ inline Sight sight_of(const AttendCudaRun& run, const AttendCudaTask& task, int32_t length, int32_t query) {
  const int32_t position =
      run.query_positions ? run.query_positions[task.batch * run.query_positions_batch + query] : query + length - run.queries;
  return {run.window > 0 ? position - run.window + 1 : INT32_MIN, run.causal ? position : INT32_MAX};
}

// The chunks of a task in the eyes of the warp that follows the lists. A chunk belongs to one of the three lists; the last chunk of each
// may have empty slots.
template <int kKeys>
class KeyWalk {
  using Chunk = ChunkKeys<kKeys>;

 public:
  // whole: rows of k and v are as long as those of a stage; dense: and lie one behind the other.
  __device__ KeyWalk(const AttendCudaRun& run, const AttendCudaTask& task, int32_t length, Sight all, bool whole, bool dense)
      : run_(run), task_(task), lane_(static_cast<int>(threadIdx.x) % 32), length_(length), all_(all), whole_(whole) {
    dense_ = whole && dense && !run.page_table;
    alike_ = !run.key_bias && run.softcap == 0 && !run.key_positions;
    int all_chunks = 0, of_list[3];
    unrolled<3>([&](auto i) { all_chunks += of_list[i] = (keys_of(i) + kKeys - 1) / kKeys; });
    int skip = static_cast<int>(static_cast<int64_t>(all_chunks) * task.part / task.parts);
    chunks_ = static_cast<int>(static_cast<int64_t>(all_chunks) * (task.part + 1) / task.parts) - skip;
    int first = 0;
    while (first < 2 && skip >= of_list[first]) skip -= of_list[first++];
    enter(first, skip);
  }

  __device__ int chunks() const { return chunks_; }

  // Writes the next chunk.
  __device__ void next(Chunk& chunk, int buffer) {
    while (left_ == 0) enter(phase_ + 1, 0);
    --left_;
    if (runs_) {
      const int64_t first = static_cast<int64_t>(index_[tile_]) * id_keys_ + offset_ - lane_, last = first + kKeys - 1;
      const bool seen = uncut_ || (last <= all_.high && (first >= all_.low || last < run_.sink_tokens));
      if (first >= 0 && last < length_ && seen) {
        if (lane_ == 0) chunk.head[buffer] = {Chunk::kPresent | Chunk::kRun | Chunk::kPlain, static_cast<int32_t>(first)};
        offset_ += kKeys;
        if (offset_ >= tile_keys_) offset_ -= tile_keys_, ++tile_;
        return;
      }
    }
    bool present = true, plain = true;
#pragma unroll 1
    for (int slot = lane_; slot < kKeys; slot += 32) {
      const KeySight sight = look(&chunk.row[buffer][slot]);
      chunk.sight[buffer][slot] = sight;
      present &= sight.bias != -INFINITY;
      plain &= sight.position <= all_.high && sight.reach >= all_.low;
      advance();
    }
    present = __all_sync(0xffffffffu, present), plain = __all_sync(0xffffffffu, present && plain && alike_);
    if (lane_ == 0) chunk.head[buffer] = {(present && whole_ ? Chunk::kPresent : 0u) | (plain ? Chunk::kPlain : 0u), 0};
  }

 private:
  __device__ const AttendCudaLists& lists(int phase) const { return phase == 0 ? run_.tiles : phase == 1 ? run_.full_tiles : run_.columns; }
  __device__ int keys_of(int phase) const { return list_row(lists(phase), task_.list).count * (phase == 2 ? 1 : run_.tile_keys); }

  // Goes to a chunk of a list; behind the last one there are only empty slots.
  __device__ void enter(int phase, int chunk) {
    phase_ = phase;
    tiles_ = 0, left_ = INT32_MAX, runs_ = false;
    if (phase == 3) return;
    const ListRow row = list_row(lists(phase), task_.list);
    index_ = row.index;
    tiles_ = row.count;
    left_ = (keys_of(phase) + kKeys - 1) / kKeys - chunk;
    uncut_ = phase == 1;
    tile_keys_ = phase == 2 ? 1 : run_.tile_keys;
    id_keys_ = phase == 2 ? 1 : run_.id_keys;
    const int at = chunk * kKeys + lane_;
    tile_ = at / tile_keys_;
    offset_ = at - tile_ * tile_keys_;
    tile_step_ = 32 / tile_keys_;
    offset_step_ = 32 - tile_step_ * tile_keys_;
    runs_ = dense_ && alike_ && tile_keys_ % kKeys == 0;
  }

  // Goes 32 keys on.
  __device__ void advance() {
    tile_ += tile_step_, offset_ += offset_step_;
    if (offset_ >= tile_keys_) offset_ -= tile_keys_, ++tile_;
  }

  // The key that the lane has come to.
  __device__ KeySight look(int32_t* row) const {
    const int64_t key = tile_ < tiles_ ? static_cast<int64_t>(index_[tile_]) * id_keys_ + offset_ : -1;
    const int32_t token = key < 0 || key >= length_ ? -1 : static_cast<int32_t>(key);
    float bias = token < 0 ? -INFINITY : 0.0f;
    if (run_.key_bias && token >= 0) {
      const int kv_head = task_.head / (run_.heads / run_.kv_heads), of = (task_.batch * run_.kv_heads + kv_head) % run_.key_bias_rows;
      bias = run_.key_bias[static_cast<int64_t>(of) * run_.keys + token] * kLog2E;
    }
    const bool there = bias != -INFINITY;
    int32_t position = token;
    if (run_.key_positions && there) position = run_.key_positions[task_.batch * run_.key_positions_batch + token];
    *row = there ? token : -1;
    if (run_.page_table && there) {
      const int page = token / run_.page_tokens, at = run_.page_table[task_.batch * run_.pages_batch + page];
      const bool known = static_cast<uint32_t>(at) < static_cast<uint32_t>(run_.pages);
      *row = known ? at * run_.page_rows + token - page * run_.page_tokens : -1;
      if (!known) bias = -INFINITY;
    }
    if (uncut_) return {INT32_MIN, INT32_MAX, bias};
    return {position, position < run_.sink_tokens ? INT32_MAX : position, bias};
  }

  const AttendCudaRun& run_;
  const AttendCudaTask& task_;
  const int32_t* index_;
  int lane_, chunks_, phase_, left_, tiles_, tile_, offset_, tile_step_, offset_step_, tile_keys_, id_keys_;
  int32_t length_;
  Sight all_;
  bool whole_, dense_, alike_, uncut_ = false, runs_;
};

// Copies the rows of a chunk; those without a key become 0, and so do dims past head_dim.
template <int kDim>
class KeyLoader {
  using Shape = AttendShape<kDim>;
  using Chunk = ChunkKeys<Shape::kKeys>;
  static constexpr int kPieces = kDim / 8, kRowsAtOnce = Shape::kThreads / kPieces, kRows = Shape::kKeys / kRowsAtOnce;

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

  // Returns the flags of the chunk.
  __device__ uint32_t load(const Chunk& chunk, int buffer, uint32_t stage) const {
    const typename Chunk::Head head = chunk.head[buffer];
    const int32_t* row = chunk.row[buffer] + row_;
    if (head.flags & Chunk::kRun)
      load_run(head.first + row_, stage + to_);
    else if (head.flags & Chunk::kPresent)
      load_rows<true>(row, stage + to_);
    else
      load_rows<false>(row, stage + to_);
    return head.flags;
  }

 private:
  // Dense rows of kDim elements: constants apart.
  __device__ void load_run(int32_t row, uint32_t to) const {
    const char *key = ptx::row_address(k_, row, kDim * 2), *value = ptx::row_address(v_, row, kDim * 2);
    unrolled<kRows>([&](auto r) {
      constexpr int kTo = r * kRowsAtOnce * Shape::kRowBytes, kFrom = r * kRowsAtOnce * kDim * 2;
      ptx::cp_async16_at<kTo, kFrom>(to, key);
      ptx::cp_async16_at<kTo + Shape::kTileBytes, kFrom>(to, value);
    });
  }

  template <bool kAll>
  __device__ void load_rows(const int32_t* rows, uint32_t to) const {
    unrolled<kRows>([&](auto r) {
      constexpr int kTo = r * kRowsAtOnce * Shape::kRowBytes;
      const int32_t listed = rows[r * kRowsAtOnce], row = kAll ? listed : max(listed, 0);
      const char *key = ptx::row_address(k_, row, token_bytes_), *value = ptx::row_address(v_, row, token_bytes_);
      if constexpr (kAll) {
        ptx::cp_async16<kTo>(to, key);
        ptx::cp_async16<kTo + Shape::kTileBytes>(to, value);
      } else {
        const int valid = listed >= 0 && inside_ ? 16 : 0;
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

#include "walk.h"

#include <algorithm>
#include <new>

#include "block_state.h"
#include "chunks.h"

namespace sk {
namespace {

constexpr int64_t kLeastPageTokens = 8;  // shorter chunks would leave lanes empty

// Takes keys that all heads list and hands over those of a few pages head by head, with the addresses of the next ones behind each chunk.
class PageChunks {
 public:
  PageChunks(const AttendRun& run, int64_t b, const BlockState* const* heads)
      : o_(run.o), page_tokens_(run.in.source.page_tokens), pages_(run.in.source.pages[b]), heads_(heads) {
    row_bytes_ = o_.head_dim * (o_.dtype == "float32" ? 4 : 2);
    head_bytes_ = page_tokens_ * 2 * row_bytes_;
    length_ = run.in.key_lengths != nullptr ? run.in.key_lengths[b] : o_.keys;
  }

  // Keys [begin, end) of the sequence; those that no row can see are left out.
  void add(int64_t begin, int64_t end, bool cut) {
    end = std::min(end, length_);
    const int64_t first_seen = heads_[0]->first_seen();
    if (cut) end = std::min<int64_t>(end, int64_t{heads_[0]->last_seen()} + 1);
    for (int64_t t = begin; t < end;) {
      int64_t stop = std::min({end, (t / page_tokens_ + 1) * page_tokens_, t + kAttendKeys});
      if (cut && t < first_seen) {
        if (t >= o_.sink_tokens) {
          t = std::min(end, first_seen);
          continue;
        }
        stop = std::min(stop, o_.sink_tokens);
      }
      join(t, static_cast<int>(stop - t), cut && !heads_[0]->all_see(t, stop - 1));
      t = stop;
    }
  }

  void flush() {
    add_runs();
    for (int i = end_; i < end_ + kAttendKeyPadding && end_ > 0; ++i) key_[i] = key_[end_ - 1], value_[i] = value_[end_ - 1];
    while (first_ < last_) hand_over();
  }

 private:
  static constexpr int kRoom = 1024;

  struct Run {
    const char* k;  // of the first head
    int64_t first;
    int count;
  };
  struct Chunk {
    int head, count;
    int32_t first;
    bool cut;
  };

  // Keys of a page. Those that are not cut wait for others until there are enough for a chunk.
  void join(int64_t t, int count, bool cut) {
    if (cut || joined_ + count > kAttendUnit) add_runs();
    runs_[run_count_++] = {static_cast<const char*>(pages_[t / page_tokens_]) + t % page_tokens_ * 2 * row_bytes_, t, count};
    joined_ += count;
    if (cut || joined_ == kAttendUnit) add_runs(cut);
  }

  // The keys that wait: a chunk of each head.
  void add_runs(bool cut = false) {
    if (joined_ == 0) return;
    for (int h = 0; h < o_.kv_heads; ++h) {
      if (end_ + joined_ + kAttendKeyPadding > kRoom) move_up();
      for (int r = 0; r < run_count_; ++r) add_run(runs_[r], h);
      chunks_[last_++] = {h, joined_, static_cast<int32_t>(runs_[0].first), cut};
      while (first_ < last_ && end_ - begin_ >= chunks_[first_].count + kAttendKeyPadding) hand_over();
    }
    run_count_ = joined_ = 0;
  }

  void add_run(Run run, int head) {
    const char* k = run.k + head * head_bytes_;
    const int64_t row = row_bytes_;
    const void **keys = key_ + end_, **values = value_ + end_;
    for (int i = 0; i < run.count; ++i) keys[i] = k + 2 * i * row, values[i] = k + (2 * i + 1) * row;
    end_ += run.count;
  }

  void hand_over() {
    const Chunk chunk = chunks_[first_++];
    if (chunk.cut)
      for (int i = 0; i < chunk.count; ++i) position_[i] = chunk.first + i;
    heads_[chunk.head]->fold({chunk.count, key_ + begin_, value_ + begin_, position_, nullptr, chunk.cut, false});
    begin_ += chunk.count;
  }

  void move_up() {
    std::copy(key_ + begin_, key_ + end_, key_);
    std::copy(value_ + begin_, value_ + end_, value_);
    std::copy(chunks_ + first_, chunks_ + last_, chunks_);
    end_ -= begin_, last_ -= first_;
    begin_ = first_ = 0;
  }

  const AttendOptions& o_;
  const int64_t page_tokens_;
  const void* const* pages_;
  const BlockState* const* heads_;
  int64_t row_bytes_, head_bytes_, length_;
  Run runs_[kAttendUnit];  // of a page each, not yet among the keys
  int run_count_ = 0, joined_ = 0;
  int begin_ = 0, end_ = 0;   // keys that wait
  int first_ = 0, last_ = 0;  // chunks that wait
  const void* key_[kRoom];
  const void* value_[kRoom];
  Chunk chunks_[kRoom];
  int32_t position_[kAttendKeys];
};

// Floats of a head: its state, then its rows.
constexpr int64_t kStateFloats = round_up(sizeof(BlockState), 64) / 4;
int64_t head_floats(const AttendOptions& o) { return kStateFloats + block_floats(o, kAttendFewRows); }

}  // namespace

bool can_walk(const AttendOptions& o, const AttendOperands& in) {
  if (in.first_unit % o.kv_heads != 0 || in.units % o.kv_heads != 0) return false;
  return in.source.pages != nullptr && in.source.page_tokens >= kLeastPageTokens && in.key_positions == nullptr && in.key_bias == nullptr;
}

int64_t walk_scratch(const AttendOptions& o) { return o.kv_heads * head_floats(o) + shared_block_floats(o); }

void attend_walk(const AttendRun& run, const AttendWalk& walk, int64_t b, float* scratch) {
  const int64_t count = run.o.kv_heads;
  BlockState* heads[kMostWalkHeads];
  float* shared = scratch + count * head_floats(run.o);
  for (int64_t h = 0; h < count; ++h) {
    float* own = scratch + h * head_floats(run.o);
    heads[h] = new (own) BlockState(run, *walk.tasks[h], b, own + kStateFloats, kAttendFewRows, shared);
  }
  PageChunks chunks(run, b, heads);
  add_tiles(run.lists, *walk.tasks[0], chunks);
  chunks.flush();
  for (int64_t h = 0; h < count; ++h) heads[h]->end(walk.partials[h]);
}

}  // namespace sk

// The keys of a task on their way to the kernel: found where they lie, collected, handed over in chunks.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "rows.h"

namespace sk {

// The keys of a task's part, counted through the tiles, full tiles and columns of its row of lists; every tile counts in full.
struct KeyRange {
  int64_t from, to;
};
inline KeyRange part_of(const KeyLists& lists, const AttendTask& task) {
  const int64_t keys = lists.length(task.row);
  return {keys * task.part / task.parts, keys * (task.part + 1) / task.parts};
}

// Those of the part's keys that are in tiles to chunks.add().
template <class Chunks>
void add_tiles(const KeyLists& lists, const AttendTask& task, Chunks& chunks) {
  const auto [from, to] = part_of(lists, task);
  int64_t base = 0;  // of the list in work
  for (const Lists* list : {&lists.tiles, &lists.full_tiles}) {
    const int64_t size = lists.tile_keys, end = std::min(to - base, list->count(task.row) * size);
    for (int64_t at = std::max<int64_t>(from - base, 0); at < end;) {
      const int64_t next = std::min(end, (at / size + 1) * size), first = list->row(task.row)[at / size] * lists.id_keys;
      chunks.add(first + at % size, first + at % size + next - at, list == &lists.tiles);
      at = next;
    }
    base += list->count(task.row) * size;
  }
}

// Those that are columns to chunks.add_each().
template <class Chunks>
void add_columns(const KeyLists& lists, const AttendTask& task, Chunks& chunks) {
  const auto [from, to] = part_of(lists, task);
  const int64_t base = (lists.tiles.count(task.row) + lists.full_tiles.count(task.row)) * lists.tile_keys;
  const int64_t first = std::max<int64_t>(from - base, 0), end = std::min(to - base, lists.columns.count(task.row));
  if (first < end) chunks.add_each(lists.columns.row(task.row) + first, end - first);
}

// Collects keys and hands them over in chunks: take(const AttendKeys&). The rows that they are for see positions from first_seen to
// last_seen.
template <class Take>
class Chunks {
 public:
  Chunks(const AttendRun& run, int64_t b, int64_t kv_head, int32_t first_seen, int32_t last_seen, Take take)
      : run_(run), first_seen_(first_seen), last_seen_(last_seen), take_(std::move(take)) {
    const AttendOptions& o = run.o;
    const AttendOperands& in = run.in;
    const int64_t bytes = o.dtype == "float32" ? 4 : 2;
    row_bytes_ = o.head_dim * bytes;
    token_bytes_ = row_bytes_;
    if (in.source.pages != nullptr) {
      pages_ = in.source.pages[b];
      page_tokens_ = in.source.page_tokens;
      if ((page_tokens_ & (page_tokens_ - 1)) == 0) page_shift_ = __builtin_ctzll(static_cast<uint64_t>(page_tokens_));
      token_bytes_ = 2 * row_bytes_;
      head_offset_ = kv_head * page_tokens_ * token_bytes_;
    } else {
      const int64_t first = o.tokens_outside ? b * o.keys * o.kv_heads + kv_head : (b * o.kv_heads + kv_head - in.first_unit) * o.keys;
      if (o.tokens_outside) token_bytes_ *= o.kv_heads;
      k_ = static_cast<const char*>(in.source.k) + first * row_bytes_;
      v_ = static_cast<const char*>(in.source.v) + first * row_bytes_;
    }
    length_ = in.key_lengths != nullptr ? in.key_lengths[b] : o.keys;
    if (in.key_positions != nullptr) positions_ = in.key_positions + (in.key_positions_per_batch ? b * o.keys : 0);
    if (in.key_bias != nullptr) bias_of_ = in.key_bias + (b * o.kv_heads + kv_head) % in.key_bias_rows * o.keys;
  }

  // Keys [begin, end) of the sequence; those that no row can see are left out.
  void add(int64_t begin, int64_t end, bool cut) {
    if (cut != cut_) flush(), cut_ = cut;
    end = std::min(end, length_);
    if (cut && positions_ == nullptr) end = std::min<int64_t>(end, int64_t{last_seen_} + 1);
    for (int64_t t = begin; t < end;) t = positions_ == nullptr && bias_of_ == nullptr ? add_run(t, end, cut) : add_one(t, cut);
  }

  // Single keys of the sequence.
  void add_each(const int32_t* keys, int64_t count) {
    if (!cut_) flush(), cut_ = true;
    for (int64_t i = 0; i < count; ++i)
      if (keys[i] < length_) add_one(keys[i], true);
  }

  void flush() {
    while (begin_ < end_) hand_over(std::min(end_ - begin_, kAttendKeys));
    begin_ = end_ = 0;
  }

 private:
  static constexpr int kWanted = kAttendKeys + kAttendKeyPadding;  // keys that wait when a chunk is handed over
  static constexpr int kRoom = 3 * kAttendKeys + kWanted;

  // Where key t lies and how many keys from there on lie token_bytes_ apart.
  struct Place {
    const char *k, *v;
    int64_t keys;
  };
  Place place(int64_t t) const {
    if (pages_ == nullptr) return {k_ + t * token_bytes_, v_ + t * token_bytes_, INT64_MAX};
    const int64_t page = page_shift_ >= 0 ? t >> page_shift_ : t / page_tokens_, at = t - page * page_tokens_;
    const char* k = static_cast<const char*>(pages_[page]) + head_offset_ + at * token_bytes_;
    return {k, k + row_bytes_, page_tokens_ - at};
  }

  // Keys from t on whose positions are their indices: as many as lie one behind the other and as there is room for. Returns where it ends.
  int64_t add_run(int64_t t, int64_t end, bool cut) {
    // Between the sink and the first key that any row sees.
    if (cut && t >= run_.o.sink_tokens && t < first_seen_) return std::min<int64_t>(end, first_seen_);
    if (cut && t < run_.o.sink_tokens && run_.o.sink_tokens < first_seen_) end = std::min(end, run_.o.sink_tokens);
    const Place from = place(t);
    const int n = static_cast<int>(std::min({end - t, from.keys, int64_t{kWanted - (end_ - begin_)}}));
    for (int i = 0; i < n; ++i) {
      key_[end_ + i] = from.k + i * token_bytes_;
      value_[end_ + i] = from.v + i * token_bytes_;
      position_[end_ + i] = static_cast<int32_t>(t + i);
    }
    added(n);
    return t + n;
  }

  int64_t add_one(int64_t t, bool cut) {
    const int32_t position = positions_ != nullptr ? positions_[t] : static_cast<int32_t>(t);
    if (cut && (position > last_seen_ || (position < first_seen_ && position >= run_.o.sink_tokens))) return t + 1;
    if (bias_of_ != nullptr) {
      if (bias_of_[t] == -INFINITY) return t + 1;
      bias_[end_] = bias_of_[t] * kLog2E;
    }
    const Place from = place(t);
    key_[end_] = from.k, value_[end_] = from.v, position_[end_] = position;
    added(1);
    return t + 1;
  }

  void added(int n) {
    end_ += n;
    if (end_ - begin_ == kWanted) hand_over(kAttendKeys);
  }

  // The first keys to the kernel, with the addresses of the next ones behind them.
  void hand_over(int count) {
    for (int i = end_; i < begin_ + count + kAttendKeyPadding; ++i) key_[i] = key_[end_ - 1], value_[i] = value_[end_ - 1];
    const float* bias = bias_of_ != nullptr ? bias_ + begin_ : nullptr;
    take_(AttendKeys{count, key_ + begin_, value_ + begin_, position_ + begin_, bias, cut_, token_bytes_ % 512 == 0});
    begin_ += count;
    if (begin_ + kWanted > kRoom) move_up();
  }

  void move_up() {
    std::copy(key_ + begin_, key_ + end_, key_);
    std::copy(value_ + begin_, value_ + end_, value_);
    std::copy(position_ + begin_, position_ + end_, position_);
    if (bias_of_ != nullptr) std::copy(bias_ + begin_, bias_ + end_, bias_);
    end_ -= begin_, begin_ = 0;
  }

  const AttendRun& run_;
  int64_t row_bytes_, token_bytes_, head_offset_ = 0, length_;
  const char *k_ = nullptr, *v_ = nullptr;
  const void* const* pages_ = nullptr;
  int64_t page_tokens_ = 0;
  int page_shift_ = -1;  // where page_tokens_ is a power of two: a division takes as long as the rest of a key
  const int32_t* positions_ = nullptr;
  const float* bias_of_ = nullptr;
  const int32_t first_seen_, last_seen_;
  Take take_;
  bool cut_ = true;
  int begin_ = 0, end_ = 0;  // keys that wait
  const void* key_[kRoom];
  const void* value_[kRoom];
  int32_t position_[kRoom];
  float bias_[kRoom];
};

}  // namespace sk

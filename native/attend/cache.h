// Keys and values of one sequence, in pages that forks share until one of them writes.
//
//   page: [kv_heads][page_tokens][key, value][head_dim]
//
// Each value lies behind its key: who picks single tokens finds half as many places in memory.
//
// Not for use by several threads at once, but a snapshot may be read while the cache changes: whoever writes to a page, or to the list of
// pages, that somebody else holds writes to a copy.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "../core/memory.h"
#include "../core/status.h"

namespace sk {

struct KvShape {
  int64_t kv_heads, head_dim, page_tokens;
  int64_t element_bytes;
  int64_t capacity;  // tokens, in whole pages, of a cache and its forks together

  int64_t row_bytes() const { return head_dim * element_bytes; }  // a key, or a value
  int64_t head_bytes() const { return page_tokens * 2 * row_bytes(); }
  int64_t page_bytes() const { return kv_heads * head_bytes(); }
};

// Memory of a cache and its forks, cut into pages. Pages of a slab lie in huge pages together: decoding jumps from page to page, and would
// otherwise walk the page table for each.
class KvPool;

class KvCache {
 public:
  struct Page;
  // The pages of a sequence, alive as long as the snapshot.
  struct Snapshot {
    std::vector<std::shared_ptr<Page>> pages;
    std::vector<const void*> data;
    int64_t length = 0;
  };

  explicit KvCache(const KvShape& shape);
  KvCache(const KvCache& other);  // a fork
  KvCache& operator=(const KvCache&) = delete;
  ~KvCache();

  const KvShape& shape() const { return shape_; }
  int64_t length() const { return now_->length; }
  int64_t pages() const { return static_cast<int64_t>(now_->pages.size()); }
  size_t bytes() const;  // of the pages that it holds, shared ones included

  // Appends tokens: k and v [kv_heads, tokens, head_dim], or [tokens, kv_heads, head_dim] where tokens_outside. All or nothing.
  Status append(const void* k, const void* v, int64_t tokens, bool tokens_outside);
  // Keeps the first `length` tokens, which is at most length().
  void truncate(int64_t length);
  // Copies tokens [begin, begin + tokens) to k and v [kv_heads, tokens, head_dim].
  void read(int64_t begin, int64_t tokens, void* k, void* v) const;
  // What the cache holds now; it costs nothing, however many pages there are.
  std::shared_ptr<const Snapshot> snapshot() const { return now_; }

 private:
  Snapshot& now_for_writing();
  Status page_for_writing(int64_t index, char** page);
  void hold(Page* page);
  void drop(Page* page);

  KvShape shape_;
  std::shared_ptr<KvPool> pool_;
  std::shared_ptr<int64_t> held_;  // pages of this cache and its forks; what only a snapshot keeps alive does not count
  std::shared_ptr<Snapshot> now_;  // shared with snapshots and forks until somebody writes
};

}  // namespace sk

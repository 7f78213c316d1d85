#include "cache.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

namespace sk {

class KvPool {
 public:
  KvPool(size_t page_bytes, size_t pages)
      : page_bytes_(page_bytes), slab_pages_(std::clamp<size_t>(kSlabBytes / page_bytes, 1, std::max<size_t>(pages, 1))) {}

  // Null: no memory. A worker that drops the last snapshot of a page gives it back, hence the lock.
  char* take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) {
      AlignedBuffer slab;
      if (!slab.reserve(page_bytes_ * slab_pages_)) return nullptr;
      for (size_t i = slab_pages_; i > 0; --i) free_.push_back(slab.as<char>() + (i - 1) * page_bytes_);
      slabs_.push_back(std::move(slab));
    }
    char* page = free_.back();
    free_.pop_back();
    return page;
  }

  void give_back(char* page) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(page);
  }

 private:
  static constexpr size_t kSlabBytes = size_t{8} << 20;

  const size_t page_bytes_, slab_pages_;
  std::mutex mutex_;
  std::vector<char*> free_;
  std::vector<AlignedBuffer> slabs_;
};

struct KvCache::Page {
  explicit Page(std::shared_ptr<KvPool> from) : pool(std::move(from)), data(pool->take()) {}
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  ~Page() {
    if (data != nullptr) pool->give_back(data);
  }

  const std::shared_ptr<KvPool> pool;
  char* const data;
  int64_t holders = 0;  // caches, not snapshots
};

KvCache::KvCache(const KvShape& shape)
    : shape_(shape),
      pool_(std::make_shared<KvPool>(static_cast<size_t>(shape.page_bytes()), static_cast<size_t>(shape.capacity / shape.page_tokens))),
      held_(std::make_shared<int64_t>(0)),
      now_(std::make_shared<Snapshot>()) {}

KvCache::KvCache(const KvCache& other) : shape_(other.shape_), pool_(other.pool_), held_(other.held_), now_(other.now_) {
  for (const auto& page : now_->pages) hold(page.get());
}

KvCache::~KvCache() {
  for (const auto& page : now_->pages) drop(page.get());
}

void KvCache::hold(Page* page) {
  if (page->holders++ == 0) ++*held_;
}

void KvCache::drop(Page* page) {
  if (--page->holders == 0) --*held_;
}

size_t KvCache::bytes() const { return static_cast<size_t>(shape_.page_bytes()) * now_->pages.size(); }

KvCache::Snapshot& KvCache::now_for_writing() {
  if (now_.use_count() > 1) now_ = std::make_shared<Snapshot>(*now_);
  return *now_;
}

// A page that nobody else sees: new, or a copy of a shared one.
Status KvCache::page_for_writing(int64_t index, char** data) {
  Snapshot& now = now_for_writing();
  const size_t i = static_cast<size_t>(index), bytes = static_cast<size_t>(shape_.page_bytes());
  const bool exists = i < now.pages.size();
  if (exists && now.pages[i].use_count() == 1) return *data = now.pages[i]->data, Status();
  const int64_t given_back = exists && now.pages[i]->holders == 1 ? 1 : 0;  // to a snapshot
  if (*held_ - given_back >= shape_.capacity / shape_.page_tokens)
    return Status(Code::kCapacity, "the cache and its forks hold all of their " + std::to_string(shape_.capacity) + " tokens");
  auto fresh = std::make_shared<Page>(pool_);
  if (fresh->data == nullptr) return Status(Code::kMemory, "no memory for a page of the cache");
  *data = fresh->data;
  hold(fresh.get());
  if (!exists) {
    now.data.push_back(fresh->data);
    now.pages.push_back(std::move(fresh));
    return Status();
  }
  std::memcpy(fresh->data, now.pages[i]->data, bytes);
  drop(now.pages[i].get());
  now.data[i] = fresh->data;
  now.pages[i] = std::move(fresh);
  return Status();
}

Status KvCache::append(const void* k, const void* v, int64_t tokens, bool tokens_outside) {
  const int64_t row = shape_.row_bytes(), before = length();
  const int64_t of_token = tokens_outside ? shape_.kv_heads * row : row, of_head = tokens_outside ? row : tokens * row;
  for (int64_t done = 0; done < tokens;) {
    const int64_t at = length() % shape_.page_tokens, count = std::min(tokens - done, shape_.page_tokens - at);
    char* page = nullptr;
    if (const Status status = page_for_writing(length() / shape_.page_tokens, &page); !status.ok()) return truncate(before), status;
    for (int64_t h = 0; h < shape_.kv_heads; ++h) {
      char* to = page + h * shape_.head_bytes() + at * 2 * row;
      for (int64_t t = done; t < done + count; ++t, to += 2 * row) {
        const int64_t from = t * of_token + h * of_head;
        std::memcpy(to, static_cast<const char*>(k) + from, static_cast<size_t>(row));
        std::memcpy(to + row, static_cast<const char*>(v) + from, static_cast<size_t>(row));
      }
    }
    done += count;
    now_->length += count;
  }
  return Status();
}

void KvCache::truncate(int64_t length) {
  Snapshot& now = now_for_writing();
  now.length = length;
  for (const size_t kept = static_cast<size_t>(ceil_div(length, shape_.page_tokens)); now.pages.size() > kept; now.pages.pop_back())
    drop(now.pages.back().get());
  now.data.resize(now.pages.size());
}

void KvCache::read(int64_t begin, int64_t tokens, void* k, void* v) const {
  const int64_t row = shape_.row_bytes();
  for (int64_t h = 0; h < shape_.kv_heads; ++h)
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t page = (begin + t) / shape_.page_tokens, at = (begin + t) % shape_.page_tokens, to = (h * tokens + t) * row;
      const char* from = now_->pages[static_cast<size_t>(page)]->data + h * shape_.head_bytes() + at * 2 * row;
      std::memcpy(static_cast<char*>(k) + to, from, static_cast<size_t>(row));
      std::memcpy(static_cast<char*>(v) + to, from + row, static_cast<size_t>(row));
    }
}

}  // namespace sk

// Memory between two pages that trap.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace sk_test {

// kEnd: the last byte lies directly before a trapping page (and the data is aligned only as its size leaves it, to its elements);
// kStart: the first byte lies directly after one.
enum class Edge { kEnd, kStart };

// `count` elements. They and the slack of the last page hold the byte 0xFF: a float NaN, so that neither a value that was never written
// nor one that was read from the slack goes unnoticed.
template <class T>
class Guarded {
 public:
  Guarded(size_t count, Edge edge) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    inner_ = (count * sizeof(T) + page - 1) / page * page;
    outer_ = inner_ + 2 * page;
    base_ = static_cast<char*>(mmap(nullptr, outer_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || (inner_ > 0 && mprotect(base_ + page, inner_, PROT_READ | PROT_WRITE) != 0)) std::abort();
    first_ = base_ + page;
    std::memset(first_, 0xFF, inner_);
    data_ = reinterpret_cast<T*>(edge == Edge::kEnd ? first_ + inner_ - count * sizeof(T) : first_);
  }
  Guarded(const std::vector<T>& values, Edge edge) : Guarded(values.size(), edge) {
    if (count_ > 0) std::memcpy(data_, values.data(), count_ * sizeof(T));
  }
  ~Guarded() { munmap(base_, outer_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() const { return data_; }
  size_t size() const { return count_; }
  // Nothing was written between the data and the page on its other side.
  bool slack_untouched() const {
    const char* data = reinterpret_cast<const char*>(data_);
    for (const char* p = first_; p < first_ + inner_; ++p)
      if ((p < data || p >= data + count_ * sizeof(T)) && *p != '\xFF') return false;
    return true;
  }

 private:
  size_t count_, inner_, outer_;
  char *base_, *first_;
  T* data_;
};

}  // namespace sk_test

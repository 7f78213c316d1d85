// 64-byte aligned memory that reports failure instead of throwing, and size arithmetic that cannot wrap.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sk {

constexpr size_t kAlignment = 64;  // a cache line and the widest vector

// Owns bytes. Movable, not copyable.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer() { release(); }
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  // Makes at least `bytes` available, not initialised; keeps the present block if it is large enough. False: no memory.
  [[nodiscard]] bool reserve(size_t bytes);
  void release();

  size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// Scratch memory of the calling thread, at least `bytes`, valid until its next call; null: no memory. It is kept between calls (page
// faults would cost a small run a few percent) unless it is very large.
void* thread_scratch(size_t bytes);

// a * b; false if the product does not fit in a signed 64-bit byte count.
[[nodiscard]] bool checked_multiply(int64_t a, int64_t b, int64_t* product);

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

}  // namespace sk

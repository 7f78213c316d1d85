#include "memory.h"

#include <limits>
#include <new>
#include <utility>

namespace sk {

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

bool AlignedBuffer::reserve(size_t bytes) {
  if (bytes <= bytes_) return true;
  release();
  data_ = ::operator new(bytes, std::align_val_t{kAlignment}, std::nothrow);
  bytes_ = data_ ? bytes : 0;
  return data_ != nullptr;
}

void AlignedBuffer::release() {
  ::operator delete(data_, std::align_val_t{kAlignment});
  data_ = nullptr;
  bytes_ = 0;
}

void* thread_scratch(size_t bytes) {
  constexpr size_t kKeep = size_t{32} << 20;
  thread_local AlignedBuffer scratch;
  if (scratch.bytes() > kKeep && bytes <= kKeep) scratch.release();
  return scratch.reserve(bytes) ? scratch.as<void>() : nullptr;
}

bool checked_multiply(int64_t a, int64_t b, int64_t* product) {
  if (a < 0 || b < 0) return false;
  if (a != 0 && b > std::numeric_limits<int64_t>::max() / a) return false;
  *product = a * b;
  return true;
}

}  // namespace sk

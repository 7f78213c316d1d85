#include "memory.h"

#include <limits>
#include <new>
#include <utility>

#include "huge_pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace sk {
namespace {

// Large blocks ask for huge pages: a weight that is streamed for one token spends a tenth of its time on page-table walks otherwise.
constexpr size_t kHugePage = size_t{2} << 20;

std::align_val_t alignment_of(size_t bytes) { return std::align_val_t{bytes >= kHugePage ? kHugePage : kAlignment}; }

}  // namespace

void advise_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  const auto start = reinterpret_cast<uintptr_t>(data), first = (start + kHugePage - 1) / kHugePage * kHugePage,
             end = (start + bytes) / kHugePage * kHugePage;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#endif
}

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
  data_ = ::operator new(bytes, alignment_of(bytes), std::nothrow);
  if (data_ == nullptr) return false;
  bytes_ = bytes;
  advise_huge_pages(data_, bytes);
  return true;
}

void AlignedBuffer::release() {
  ::operator delete(data_, alignment_of(bytes_));
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

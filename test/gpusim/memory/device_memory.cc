#include "device_memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

namespace gpusim {
namespace {

constexpr size_t kGap = 512, kPage = 4096;  // between allocations; of the host

void* reserve(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}

std::string text(const char* format, uint64_t a, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0) {
  char buffer[160];
  std::snprintf(buffer, sizeof buffer, format, static_cast<unsigned long long>(a), static_cast<unsigned long long>(b),
                static_cast<unsigned long long>(c), static_cast<unsigned long long>(d));
  return buffer;
}

}  // namespace

DeviceMemory& DeviceMemory::get() {
  static DeviceMemory* memory = new DeviceMemory;  // outlives every static of the program
  return *memory;
}

DeviceMemory::DeviceMemory() {
  for (size_ = size_t{256} << 30; size_ >= size_t{1} << 28; size_ /= 2) {
    void* data = reserve(size_);
    void* shadow = data ? reserve(size_) : nullptr;
    void* read = shadow ? reserve(size_ / 8) : nullptr;
    void* write = read ? reserve(size_ / 8) : nullptr;
    if (write) {
      base_ = reinterpret_cast<uintptr_t>(data);
      shadow_ = static_cast<uint8_t*>(shadow);
      touched_[0] = static_cast<uint32_t*>(read);
      touched_[1] = static_cast<uint32_t*>(write);
      next_ = kPage;
      return;
    }
    if (read) munmap(read, size_ / 8);
    if (shadow) munmap(shadow, size_);
    if (data) munmap(data, size_);
  }
  std::fprintf(stderr, "gpusim: this machine gives no address space for device memory\n");
  std::abort();
}

void* DeviceMemory::allocate(size_t bytes, MemoryKind kind, size_t align, const std::string& name, size_t capacity) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool on_device = kind == MemoryKind::kDevice || kind == MemoryKind::kManaged;
  if (bytes > size_ || (on_device && (bytes > capacity || used_ > capacity - bytes))) return nullptr;
  const size_t room = (bytes + kGap + 255) / 256 * 256;
  size_t offset = (next_ + align - 1) / align * align;
  if (offset + room > size_) {  // the range is used up: take the place of something freed
    auto old = freed_.begin();
    while (old != freed_.end() && (old->second.bytes < bytes || old->first % align != 0)) ++old;
    if (old == freed_.end()) return nullptr;
    offset = old->first - base_;
    freed_.erase(old);
  } else {
    next_ = offset + room;
  }
  const uintptr_t address = base_ + offset;
  live_[address] = {address, bytes, kind, ++count_, name};
  if (on_device) used_ += bytes;
  const bool host_writes = kind == MemoryKind::kHost || kind == MemoryKind::kManaged;  // unseen by us
  __builtin_memset(shadow(address), host_writes ? kAllocated | kWritten : kAllocated, bytes);
  return reinterpret_cast<void*>(address);
}

DeviceMemory::Freed DeviceMemory::free(void* pointer, bool (*allowed)(MemoryKind)) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  const auto found = live_.find(address);
  if (found == live_.end()) return freed_.count(address) ? Freed::kTwice : Freed::kUnknown;
  if (allowed && !allowed(found->second.kind)) return Freed::kUnknown;
  const Allocation gone = found->second;
  live_.erase(found);
  if (gone.kind == MemoryKind::kDevice || gone.kind == MemoryKind::kManaged) used_ -= gone.bytes;
  freed_[address] = gone;
  __builtin_memset(shadow(address), 0, gone.bytes);
  const uintptr_t first = (address + kPage - 1) / kPage * kPage, last = (address + gone.bytes) / kPage * kPage;
  if (last > first) {
    madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
    uint8_t* s = shadow(first);
    const uintptr_t s_first = (reinterpret_cast<uintptr_t>(s) + kPage - 1) / kPage * kPage;
    const uintptr_t s_last = reinterpret_cast<uintptr_t>(s + (last - first)) / kPage * kPage;
    if (s_last > s_first) madvise(reinterpret_cast<void*>(s_first), s_last - s_first, MADV_DONTNEED);
  }
  return Freed::kOk;
}

bool DeviceMemory::find(const void* pointer, Allocation* allocation) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  auto next = live_.upper_bound(address);
  if (next == live_.begin()) return false;
  const Allocation& a = std::prev(next)->second;
  if (address - a.address >= a.bytes && !(a.bytes == 0 && address == a.address)) return false;
  *allocation = a;
  return true;
}

std::string DeviceMemory::describe(uint64_t address) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto name = [](const Allocation& a) {
    static const char* const kinds[] = {"device", "host", "managed", "variable", "constant", "device heap"};
    return (a.name.empty() ? text("allocation #%llu", a.number) : "'" + a.name + "'") + " (" + kinds[static_cast<int>(a.kind)] +
           text(" memory, %llu bytes at 0x%llx)", a.bytes, a.address);
  };
  const auto before = [&](const std::map<uintptr_t, Allocation>& list) -> const Allocation* {
    auto next = list.upper_bound(address);
    return next == list.begin() ? nullptr : &std::prev(next)->second;
  };
  const Allocation* live = before(live_);
  if (live && address - live->address < live->bytes) return text("byte %llu of ", address - live->address) + name(*live);
  const Allocation* gone = before(freed_);
  if (gone && address - gone->address < gone->bytes) return text("byte %llu of freed ", address - gone->address) + name(*gone);
  if (live && address - live->address < live->bytes + (size_t{1} << 20))
    return text("%llu bytes after the end of ", address - live->address - live->bytes) + name(*live);
  const auto next = live_.upper_bound(address);
  if (next != live_.end() && next->first - address < (size_t{1} << 20))
    return text("%llu bytes before the start of ", next->first - address) + name(next->second);
  if (contains(address)) return "device memory that is not allocated";
  return address < 4096 ? "a null pointer" : "no device memory (a host pointer?)";
}

void DeviceMemory::register_external(void* pointer, size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  external_[reinterpret_cast<uintptr_t>(pointer)] = bytes;
}

bool DeviceMemory::unregister_external(void* pointer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return external_.erase(reinterpret_cast<uintptr_t>(pointer)) != 0;
}

bool DeviceMemory::is_external(uint64_t address, size_t bytes) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto next = external_.upper_bound(address);
  if (next == external_.begin()) return false;
  --next;
  return address - next->first < next->second && next->second - (address - next->first) >= bytes;
}

size_t DeviceMemory::used() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return used_;
}

}  // namespace gpusim

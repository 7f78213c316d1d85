// Device memory: one reserved range of addresses, so that a device pointer is a plain pointer, with a shadow byte for each byte that says
// whether it is allocated and whether it was ever written. Allocations never touch each other, so that a step too far is seen.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace gpusim {

enum class MemoryKind : uint8_t { kDevice, kHost, kManaged, kVariable, kConstant, kHeap };

struct Allocation {
  uintptr_t address = 0;
  size_t bytes = 0;
  MemoryKind kind = MemoryKind::kDevice;
  uint64_t number = 0;  // 1 for the first
  std::string name;     // of a variable
};

class DeviceMemory {
 public:
  static DeviceMemory& get();

  // nullptr when the reserved range is full, or would hold more than `capacity` bytes of the device.
  void* allocate(size_t bytes, MemoryKind kind, size_t align = 256, const std::string& name = "", size_t capacity = ~size_t{0});
  enum class Freed : uint8_t { kOk, kUnknown, kTwice };
  Freed free(void* pointer, bool (*allowed)(MemoryKind) = nullptr);
  bool find(const void* pointer, Allocation* allocation) const;  // the one that has this byte
  std::string describe(uint64_t address) const;                  // "16 bytes after allocation #3 of 1024 bytes at 0x..."

  void register_external(void* pointer, size_t bytes);
  bool unregister_external(void* pointer);
  bool is_external(uint64_t address, size_t bytes) const;

  bool contains(uint64_t address) const { return address - base_ < size_; }
  static constexpr uint8_t kAllocated = 1, kWritten = 2;
  uint8_t* shadow(uint64_t address) const { return shadow_ + (address - base_); }
  bool allocated(uint64_t address, size_t bytes) const { return all(address, bytes, kAllocated); }
  bool written(uint64_t address, size_t bytes) const { return all(address, bytes, kWritten); }
  void mark_written(uint64_t address, size_t bytes);

  // True the first time that a launch asks about a 32-byte sector.
  bool first_touch(uint64_t address, bool write, uint32_t launch);

  size_t used() const;

 private:
  DeviceMemory();
  bool all(uint64_t address, size_t bytes, uint8_t flag) const;

  mutable std::mutex mutex_;
  std::map<uintptr_t, Allocation> live_, freed_;
  std::map<uintptr_t, size_t> external_;
  uintptr_t base_ = 0;
  size_t size_ = 0, next_ = 0, used_ = 0;
  uint64_t count_ = 0;
  uint8_t* shadow_ = nullptr;
  uint32_t* touched_[2] = {nullptr, nullptr};
};

inline bool DeviceMemory::all(uint64_t address, size_t bytes, uint8_t flag) const {
  const uint8_t* s = shadow(address);
  if (bytes == 4 || bytes == 8 || bytes == 16) {
    uint8_t result = flag;
    uint32_t word, sum = 0xffffffffu;
    for (size_t i = 0; i < bytes; i += 4) {
      __builtin_memcpy(&word, s + i, 4);
      sum &= word;
    }
    const uint32_t pattern = flag * 0x01010101u;
    return (sum & pattern) == pattern && result;
  }
  for (size_t i = 0; i < bytes; ++i)
    if (!(s[i] & flag)) return false;
  return true;
}

inline void DeviceMemory::mark_written(uint64_t address, size_t bytes) { __builtin_memset(shadow(address), kAllocated | kWritten, bytes); }

inline bool DeviceMemory::first_touch(uint64_t address, bool write, uint32_t launch) {
  uint32_t* stamp = touched_[write] + (address - base_) / 32;
  if (__atomic_load_n(stamp, __ATOMIC_RELAXED) == launch) return false;
  return __atomic_exchange_n(stamp, launch, __ATOMIC_RELAXED) != launch;
}

}  // namespace gpusim

#include "access.h"

#include <algorithm>
#include <cstdio>

#include "../memory/device_memory.h"

namespace gpusim {
namespace {

std::string hexadecimal(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

const char* verb(Access access) { return access == Access::kRead ? "load" : access == Access::kWrite ? "store" : "atomic"; }

[[noreturn]] void out_of_bounds(int lane, const char* space, Access access, uint32_t bytes, uint64_t address, const std::string& where) {
  throw Fault(
      Check::kBounds, lane,
      std::string(space) + " " + verb(access) + " of " + std::to_string(bytes) + " bytes at " + hexadecimal(address) + ": " + where);
}

[[noreturn]] void misaligned(int lane, const char* space, Access access, uint32_t bytes, uint64_t address) {
  throw Fault(
      Check::kMisaligned, lane,
      std::string("misaligned ") + space + " " + verb(access) + " of " + std::to_string(bytes) + " bytes at " + hexadecimal(address));
}

uint8_t* resolve_global(Warp& w, const Inst& in, int lane, uint64_t address, uint32_t bytes, Access access) {
  DeviceMemory& memory = DeviceMemory::get();
  if (address % bytes) misaligned(lane, "global", access, bytes, address);
  if (memory.contains(address) && memory.allocated(address, bytes)) {
    if (access != Access::kWrite && w.block.launch.checks.uninit && !memory.written(address, bytes))
      throw Fault(Check::kUninit, lane,
                  "read of " + std::to_string(bytes) + " uninitialised bytes of global memory at " + hexadecimal(address) + ": " +
                      memory.describe(address));
    if (access != Access::kRead) memory.mark_written(address, bytes);
    if (access != Access::kAtomic && !in.strong) touch(w, address, bytes, access);
    return reinterpret_cast<uint8_t*>(address);
  }
  if (!memory.contains(address) && memory.is_external(address, bytes)) return reinterpret_cast<uint8_t*>(address);
  out_of_bounds(lane, "global", access, bytes, address, memory.describe(address));
}

}  // namespace

void touch_another(Warp& w, uint64_t address, uint32_t bytes, Access access) {
  Allocation a;
  if (!w.block.launch.checks.race || !DeviceMemory::get().find(reinterpret_cast<const void*>(address), &a)) return;
  w.block.touched.push_back({a.address, a.bytes});
  w.block.touched.back().note(address, bytes, access == Access::kWrite);
}

SharedAccess shared_access(const Warp& w, const Inst& in, int lane) { return {w.index, lane, w.epoch, w.pc_for_reports(), in.strong}; }

uint8_t* resolve(Warp& w, const Inst& in, int lane, uint64_t address, uint32_t bytes, Access access) {
  switch (space_of(in, &address)) {
    case Space::kShared: {
      Block& block = w.block;
      if (address % bytes) misaligned(lane, "shared", access, bytes, address);
      if (address - kReservedShared <= kReservedSharedBytes - bytes) return block.reserved + (address - kReservedShared);
      if (address >= block.shared_bytes || block.shared_bytes - address < bytes)
        out_of_bounds(lane, "shared", access, bytes, address,
                      "the block has " + std::to_string(block.shared_bytes) + " bytes (" + std::to_string(block.launch.static_shared) +
                          " static, " + std::to_string(block.launch.dynamic_shared) + " dynamic)");
      if (block.shadow && access != Access::kWrite) block.shadow->read(static_cast<uint32_t>(address), bytes, shared_access(w, in, lane));
      return block.shared + address;
    }
    case Space::kLocal:
      if (address % bytes) misaligned(lane, "local", access, bytes, address);
      if (address >= w.local_bytes() || w.local_bytes() - address < bytes)
        out_of_bounds(lane, "local", access, bytes, address, "the thread has " + std::to_string(w.local_bytes()) + " bytes");
      return w.local(lane, address);
    case Space::kParam: {
      std::vector<uint8_t>& block = w.block.launch.parameters;
      if (address % bytes) misaligned(lane, "parameter", access, bytes, address);
      if (access != Access::kRead || address >= block.size() || block.size() - address < bytes)
        out_of_bounds(lane, "parameter", access, bytes, address, "the kernel has " + std::to_string(block.size()) + " bytes of parameters");
      return block.data() + address;
    }
    default: return resolve_global(w, in, lane, address, bytes, access);
  }
}

void note_shared_write(Warp& w, const Inst& in, int lane, const uint8_t* at, const void* value, uint32_t bytes) {
  Block& block = w.block;
  if (!block.shadow || at < block.shared || at >= block.shared + block.shared_bytes) return;
  block.shadow->write(static_cast<uint32_t>(at - block.shared), bytes, shared_access(w, in, lane), std::memcmp(at, value, bytes) != 0);
}

}  // namespace gpusim

// Where an address of a thread points to, after every check that a device or the simulator makes of it.
#pragma once
#include "../exec/block.h"
#include "../exec/warp.h"

namespace gpusim {

enum class Access : uint8_t { kRead, kWrite, kAtomic };

inline uint64_t lane_address(const Warp& w, const Inst& in, Ref ref, int lane) {
  const uint64_t base = in.wide_src ? w.src<uint64_t>(ref)[lane] : w.src<uint32_t>(ref)[lane];
  return base + static_cast<uint64_t>(in.imm);
}

// Space that the address lies in; for generic ones by their window. Turns it into the space's own address.
inline Space space_of(const Inst& in, uint64_t* address) {
  if (in.space != Space::kGeneric && in.space != Space::kLocal && in.space != Space::kParam) return in.space;
  const uint64_t window = *address & kWindowMask;
  if (in.space == Space::kGeneric && window == 0) return Space::kGlobal;
  *address &= ~kWindowMask;
  if (in.space != Space::kGeneric) return in.space;
  return window == kSharedWindow  ? Space::kShared
         : window == kLocalWindow ? Space::kLocal
         : window == kParamWindow ? Space::kParam
                                  : Space::kGlobal;
}

// Throws Fault. The host address of `bytes` bytes; reads and atomics must find them written. Writes of shared memory still have to be
// reported by note_shared_write, which wants to know whether they change anything.
uint8_t* resolve(Warp& w, const Inst& in, int lane, uint64_t address, uint32_t bytes, Access access);
// Notes a plain access to global memory, for the order of streams. The allocations that a launch touches are few.
void touch_another(Warp& w, uint64_t address, uint32_t bytes, Access access);
inline void touch(Warp& w, uint64_t address, uint32_t bytes, Access access) {
  for (Touched& t : w.block.touched)
    if (t.holds(address)) return t.note(address, bytes, access == Access::kWrite);
  touch_another(w, address, bytes, access);
}
// For data of the block's shared memory.
void note_shared_write(Warp& w, const Inst& in, int lane, const uint8_t* at, const void* value, uint32_t bytes);
SharedAccess shared_access(const Warp& w, const Inst& in, int lane);

// Sectors and bank conflicts of one warp instruction, for the report.
void count_access(Warp& w, const Inst& in, Ref address, Mask active, uint32_t bytes, Access access);
void count_shared(Warp& w, const uint32_t* offsets, Mask active, uint32_t bytes, SharedPort port);
// One request of `bytes` a thread; sectors: their numbers in any order, with repetitions.
void count_sectors(Warp& w, uint64_t* sectors, int count, uint64_t total_bytes, uint32_t bytes, Access access);

}  // namespace gpusim

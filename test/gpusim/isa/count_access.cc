// Sectors and bank conflicts of memory accesses, for the report.
#include <algorithm>

#include "../memory/device_memory.h"
#include "access.h"

namespace gpusim {

void count_shared(Warp& w, const uint32_t* offsets, Mask active, uint32_t bytes, SharedPort port) {
  // 128 bytes pass at a time: with 8-byte accesses half a warp, with 16-byte ones a quarter.
  const int group = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
  SharedTraffic& traffic = w.counters.shared[static_cast<int>(port)];
  ++traffic.requests;
  for (int first = 0; first < kLanes; first += group) {
    uint32_t words[32][4];
    int used[32] = {};
    int worst = 0;
    for (int lane = first; lane < first + group; ++lane) {
      if (!(active >> lane & 1)) continue;
      for (uint32_t word = offsets[lane] / 4; word * 4 < offsets[lane] + bytes; ++word) {
        const uint32_t bank = word % 32;
        bool seen = false;
        for (int i = 0; i < std::min(used[bank], 4); ++i) seen |= words[bank][i] == word;
        if (seen) continue;
        if (used[bank] < 4) words[bank][used[bank]] = word;
        worst = std::max(worst, ++used[bank]);
      }
    }
    traffic.wavefronts += static_cast<uint64_t>(worst);
    traffic.ideal_wavefronts += worst > 0;
    if (worst > 1) w.spot().bank_conflicts += static_cast<uint64_t>(worst - 1);
  }
}

void count_access(Warp& w, const Inst& in, Ref ref, Mask active, uint32_t bytes, Access access) {
  uint64_t sectors[kLanes * 2];
  uint32_t offsets[kLanes] = {};
  int count = 0;
  Mask shared = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    if (!(active >> lane & 1)) continue;
    uint64_t address = lane_address(w, in, ref, lane);
    const Space space = space_of(in, &address);
    if (space == Space::kShared) {
      offsets[lane] = static_cast<uint32_t>(address);
      shared |= 1u << lane;
    } else if (space == Space::kGlobal) {
      for (uint64_t s = address / 32; s * 32 < address + bytes; ++s) sectors[count++] = s;
    }
  }
  if (shared) {
    const SharedPort port = in.cls == Class::kAsyncCopy ? SharedPort::kAsyncCopy
                            : access == Access::kAtomic ? SharedPort::kAtomic
                            : access == Access::kRead   ? SharedPort::kLoad
                                                        : SharedPort::kStore;
    count_shared(w, offsets, shared, bytes, port);
  }
  if (count) count_sectors(w, sectors, count, static_cast<uint64_t>(__builtin_popcount(active & ~shared)) * bytes, bytes, access);
}

void count_sectors(Warp& w, uint64_t* sectors, int count, uint64_t total_bytes, uint32_t bytes, Access access) {
  Traffic& traffic = access == Access::kRead    ? w.counters.global_loads
                     : access == Access::kWrite ? w.counters.global_stores
                                                : w.counters.global_atomics;
  std::sort(sectors, sectors + count);
  const auto end = std::unique(sectors, sectors + count);
  const auto touched = static_cast<uint64_t>(end - sectors), least = (total_bytes + 31) / 32;
  ++traffic.requests;
  ++traffic.by_width[__builtin_ctz(bytes)];
  traffic.bytes += total_bytes;
  traffic.sectors += touched;
  if (touched > least) {
    traffic.excess_sectors += touched - least;
    w.spot().excess_sectors += touched - least;
  }
  DeviceMemory& memory = DeviceMemory::get();
  const uint32_t launch = w.block.launch.number;
  for (const uint64_t* s = sectors; s != end; ++s) {
    if (!memory.contains(*s * 32)) continue;
    if (access != Access::kWrite) w.counters.unique_sectors_read += memory.first_touch(*s * 32, false, launch);
    if (access != Access::kRead) w.counters.unique_sectors_written += memory.first_touch(*s * 32, true, launch);
  }
}

}  // namespace gpusim

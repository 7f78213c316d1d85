// A thread block: its warps, shared memory and barriers.
#pragma once
#include <memory>
#include <vector>

#include "../check/shared_shadow.h"
#include "launch.h"
#include "warp.h"

namespace gpusim {

struct Barrier {
  bool in_use = false;
  int expected = 0;           // threads; 0: all
  std::vector<Mask> arrived;  // by warp: lanes that wait
  int arrived_only = 0;       // threads of bar.arrive
  uint32_t warps = 0;         // that took part
  int pop = 0;                // of bar.red
  bool all = true, any = false;
};

class Block {
 public:
  Block(Launch& launch, uint64_t index, Counters& counters, std::vector<Touched>& touched);
  // Runs until nothing moves any more or every warp had its turn. False when the block has ended. Throws Fault on a deadlock.
  bool step();

  // Marks the lanes as waiting; when the barrier is complete, lets all of them go on.
  void arrive(Warp& warp, int id, int expected, Mask lanes, bool wait);
  void recheck_barriers();  // after threads have ended
  std::string thread_name(int warp, int lane) const;
  std::string describe_fault(const Fault& fault) const;

  Launch& launch;
  Counters& counters;
  std::vector<Touched>& touched;  // of global memory
  uint32_t id[3];
  uint64_t index;
  std::vector<uint8_t> shared_memory;
  uint8_t* shared = nullptr;  // aligned
  size_t shared_bytes = 0;
  alignas(64) uint8_t reserved[kReservedSharedBytes] = {};
  std::unique_ptr<SharedShadow> shadow;  // null if nothing is checked
  std::vector<std::unique_ptr<Warp>> warps;
  Barrier barriers[16];
  Warp* running = nullptr;
  uint64_t turns = 0;

 private:
  void try_release(int id);
};

}  // namespace gpusim

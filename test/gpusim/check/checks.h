// What the simulator looks for, and how a fault travels from an instruction to the runtime.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

namespace gpusim {

enum class Check : uint8_t {
  kBounds,       // always on, as on a device
  kMisaligned,   // always on
  kUninit,       // reads of shared or global memory that nobody wrote
  kRace,         // shared memory, between barriers
  kBarrier,      // barriers and warp-wide instructions that not all threads reach
  kMetadata,     // metadata and selectors of mma.sp
  kAsync,        // cp.async data used before its wait
  kInstruction,  // unknown instruction or illegal operand; always on
  kTrap,
  kAssert,
  kTimeout,
  kHeap,
};
const char* check_name(Check check);

struct Checks {
  bool uninit = true, race = true, barrier = true, metadata = true, async = true;
  static Checks from_environment();  // GPUSIM_CHECK = all, none, or a list of names
};

// Thrown by instructions; the scheduler adds kernel, block, thread and line.
struct Fault : std::runtime_error {
  Fault(Check check, int lane, const std::string& what) : std::runtime_error(what), check(check), lane(lane) {}
  Check check;
  int lane;  // -1: the warp
};

}  // namespace gpusim

// The memory of a block's shared memory: for each 4-byte word who wrote and who read it last, and when, so that two accesses without a
// barrier between them are seen, as are reads of what nobody wrote and of cp.async data before its wait.
//
// Time: a block counts its synchronisations. seen[w][u] is the time up to which warp w has seen what warp u did; an access of u at time t
// happened before one of w if t < seen[w][u]. A barrier brings all its warps to the same present.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "checks.h"

namespace gpusim {

struct SharedAccess {
  int warp, lane;
  uint32_t warp_epoch;  // counts __syncwarp of the warp
  uint32_t pc;
  bool strong;  // atomic or volatile: does not race with its like
};

class SharedShadow {
 public:
  SharedShadow(size_t bytes, int warps, const Checks& checks);
  // Each returns nothing or throws Fault. `old_equals_new`: the write changes nothing, which is no race with another write.
  void read(uint32_t offset, uint32_t bytes, const SharedAccess& by);
  void write(uint32_t offset, uint32_t bytes, const SharedAccess& by, bool changes);
  void async_start(uint32_t offset, uint32_t bytes, const SharedAccess& by);
  void async_done(uint32_t offset, uint32_t bytes, const SharedAccess& by);
  // All warps of the mask have met.
  void synchronise(uint32_t warps);
  // For messages: thread number and source line of an earlier access.
  std::string (*locate)(const void* context, int warp, int lane, uint32_t pc) = nullptr;
  const void* context = nullptr;

 private:
  struct Word {
    uint32_t write_time = 0, write_epoch = 0, write_pc = 0;
    uint32_t read_time = 0, read_epoch = 0, read_pc = 0, readers = 0;  // readers: warps
    uint16_t writer = 0, reader = 0;                                   // warp * 32 + lane
    uint8_t written = 0, read = 0, initialised = 0, pending = 0;       // a bit for each byte
    bool strong_write = false, strong_read = false;
  };
  bool ordered(uint32_t time, uint32_t epoch, int thread, const SharedAccess& by) const;
  [[noreturn]] void race(const char* what, uint32_t offset, int thread, uint32_t pc, const char* earlier, const SharedAccess& by) const;

  std::vector<Word> words_;
  std::vector<uint32_t> seen_;
  int warps_;
  uint32_t now_ = 1;
  Checks checks_;
};

}  // namespace gpusim

// What streams do with allocations, and whether anything orders it: vector clocks of streams, as they are known of threads.
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace gpusim {

using Clock = std::map<uint64_t, uint64_t>;  // by stream: how many pieces of its work are done before
void join(Clock& clock, const Clock& other);

struct StreamWork {  // a piece of work
  uint64_t stream, number;
  Clock before;
};

// Plain accesses of a launch to an allocation: the bytes from the first to the last, of reads [0] and writes [1].
struct Touched {
  uint64_t begin, bytes;
  uint64_t low[2] = {~uint64_t{0}, ~uint64_t{0}}, high[2] = {0, 0};

  bool holds(uint64_t address) const { return address - begin < bytes; }
  void note(uint64_t address, uint64_t size, bool write) {
    if (address < low[write]) low[write] = address;
    if (address + size > high[write]) high[write] = address + size;
  }
};

class StreamShadow {
 public:
  static StreamShadow& get();
  // `what` reads or writes bytes [low, high) of an allocation. Says which earlier work nothing orders before it; else "".
  std::string access(const StreamWork& work, const std::string& what, uint64_t allocation, uint64_t low, uint64_t high, bool write);
  void forget(uint64_t allocation);

 private:
  struct Entry {
    uint64_t stream, number, low, high;
    bool write;
    std::string what;
  };
  std::mutex mutex_;
  std::map<uint64_t, std::vector<Entry>> entries_;  // by allocation; those that a later one stands for are gone
};

}  // namespace gpusim

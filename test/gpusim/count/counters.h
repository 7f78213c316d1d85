// What one launch did, counted. Each worker thread counts for itself; the sums go to the report.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gpusim {

enum class Class : uint8_t {
  kInteger,
  kLogic,
  kFloat32,
  kFloat64,
  kHalf,
  kConvert,
  kMove,
  kCompare,
  kSpecial,
  kControl,
  kBarrier,
  kLoadGlobal,
  kStoreGlobal,
  kLoadShared,
  kStoreShared,
  kLoadLocal,
  kStoreLocal,
  kLoadConst,
  kLoadParam,
  kLoadGeneric,
  kStoreGeneric,
  kAtomic,
  kAsyncCopy,
  kMatrixLoad,
  kTensor,
  kShuffle,
  kVote,
  kFence,
  kCount,
};
const char* class_name(Class c);

struct Traffic {
  static constexpr int kWidths = 6;
  uint64_t requests = 0;            // warp instructions
  uint64_t sectors = 0;             // 32-byte pieces they touch
  uint64_t excess_sectors = 0;      // beyond the fewest that hold as many bytes
  uint64_t bytes = 0;               // what the threads asked for
  uint64_t by_width[kWidths] = {};  // requests in which a thread asks for 1, 2, 4, 8, 16, 32 bytes
  void add(const Traffic& other);
};

enum class SharedPort : uint8_t { kLoad, kStore, kMatrixLoad, kMatrixStore, kAsyncCopy, kAtomic, kCount };
const char* shared_port_name(SharedPort port);

struct SharedTraffic {
  uint64_t requests = 0, wavefronts = 0;
  uint64_t ideal_wavefronts = 0;  // without bank conflicts
  void add(const SharedTraffic& other);
};

// What one instruction did.
struct Spot {
  uint64_t executions = 0;  // by warps
  uint64_t bank_conflicts = 0, excess_sectors = 0;
};

struct Counters {
  static constexpr int kClasses = static_cast<int>(Class::kCount);
  uint64_t warp_instructions[kClasses] = {}, thread_instructions[kClasses] = {};
  uint64_t divergent_branches = 0, branches = 0, blocks = 0;
  Traffic global_loads, global_stores, global_atomics;
  SharedTraffic shared[static_cast<int>(SharedPort::kCount)];
  uint64_t unique_sectors_read = 0, unique_sectors_written = 0;
  uint64_t async_bytes = 0;
  std::map<const void*, std::pair<std::string, uint64_t>> tensor;  // by handler: name, times
  uint64_t tensor_macs = 0;                                        // multiply-adds of the dense product, mma.sp counted as if dense
  std::map<const void*, std::vector<Spot>> spots;                  // by decoded function: one for each instruction

  void add(const Counters& other);
  Spot* spots_of(const void* code, size_t instructions);
  SharedTraffic shared_total() const;
  uint64_t threads_total() const;
  uint64_t warps_total() const;
};

}  // namespace gpusim

// What one launch did, counted. Each worker thread counts for itself; the sums go to the report.
#pragma once
#include <cstdint>
#include <map>
#include <string>

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
  uint64_t requests = 0;  // warp instructions
  uint64_t sectors = 0;   // 32-byte pieces they touch
  uint64_t bytes = 0;     // what the threads asked for
};

struct Counters {
  static constexpr int kClasses = static_cast<int>(Class::kCount);
  uint64_t warp_instructions[kClasses] = {}, thread_instructions[kClasses] = {};
  uint64_t divergent_branches = 0, branches = 0, blocks = 0;
  Traffic global_loads, global_stores, global_atomics;
  uint64_t shared_requests = 0, shared_wavefronts = 0, shared_ideal_wavefronts = 0;
  uint64_t unique_sectors_read = 0, unique_sectors_written = 0;
  uint64_t async_bytes = 0;
  std::map<const void*, std::pair<std::string, uint64_t>> tensor;  // by handler: name, times
  uint64_t tensor_macs = 0;                                        // multiply-adds of the dense product, mma.sp counted as if dense

  void add(const Counters& other);
  uint64_t threads_total() const;
  uint64_t warps_total() const;
};

}  // namespace gpusim

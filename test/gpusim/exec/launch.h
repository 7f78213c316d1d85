// What all blocks of one launch share.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "../check/checks.h"
#include "../check/stream_shadow.h"
#include "inst.h"

namespace gpusim {

// Where functions and variables of a loaded program are; implemented by the decoder's Program.
class Resolver {
 public:
  virtual ~Resolver() = default;
  virtual const Code* code_of(const Function* function) = 0;  // decodes on first use; throws Fault
  virtual const Function* function_at(uint64_t address) = 0;  // nullptr if there is none
};

struct FaultReport {
  Check check;
  std::string message;
};

struct Launch {
  const Code* code = nullptr;
  Resolver* resolver = nullptr;
  std::string kernel;
  uint32_t grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
  std::vector<uint8_t> parameters;
  size_t static_shared = 0, dynamic_shared = 0;
  bool cooperative = false;
  int resident_blocks = 1;  // of the whole device
  int sm_count = 1;
  Checks checks;
  bool count_memory = false;  // sectors, bank conflicts and executions of each instruction cost time
  bool trace = false;
  uint64_t workspace = 0;  // of a cooperative launch: where its grid barrier is
  uint32_t number = 1;
  uint64_t limit = 0;  // warp instructions; 0: none

  std::atomic<uint64_t> spent{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::vector<FaultReport> faults;  // the first one
  Counters counters;
  std::vector<Touched> touched;  // by worker and allocation

  int threads_per_block() const { return static_cast<int>(block[0] * block[1] * block[2]); }
  uint64_t blocks() const { return uint64_t{grid[0]} * grid[1] * grid[2]; }
};

// Runs all blocks on `threads` host threads; the first fault stops the rest.
void run_launch(Launch& launch, int threads);

}  // namespace gpusim

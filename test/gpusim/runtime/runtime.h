// The state of the simulated runtime: what is registered, streams, events, the last error. Work is done when it is asked for, in the
// calling thread: the order of the calls is an order that streams and events allow.
#pragma once
#include <cuda_runtime_api.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "../decode/program.h"
#include "device.h"

namespace gpusim {

struct FatBinary;

struct KernelEntry {  // what a cudaKernel_t points to
  FatBinary* binary = nullptr;
  std::string name;
  int max_dynamic_shared = -1;  // -1: not set
  int carveout = -1;
};

struct FatBinary {  // what the handle of a registered fat binary points to
  void* handle = this;
  const void* wrapper = nullptr;
  std::unique_ptr<Program> program;  // parsed when first needed
  cudaError_t failure = cudaSuccess;
  std::map<std::string, int> registers;  // from ptxas, by kernel
};

struct Stream {
  unsigned flags;
  int priority;
  unsigned long long id;
};
struct Event {
  unsigned flags = 0;
  bool recorded = false;
  std::chrono::steady_clock::time_point time;
};
struct VariableEntry {
  FatBinary* binary;
  std::string name;
  size_t bytes;
};

class Runtime {
 public:
  static Runtime& get();

  std::recursive_mutex mutex;
  std::vector<std::unique_ptr<FatBinary>> binaries;
  std::map<const void*, std::unique_ptr<KernelEntry>> kernels;  // by host function
  std::set<const void*> kernel_handles;
  std::map<const void*, VariableEntry> variables;
  std::set<Stream*> streams;
  std::set<Event*> events;
  unsigned long long next_stream = 3;
  cudaError_t sticky = cudaSuccess;  // after a fault no call works any more
  uint32_t launches = 0;
  size_t limits[16] = {};
  unsigned device_flags = 0;

  Program* program(FatBinary* binary);  // null: binary->failure says why
  KernelEntry* find_kernel(const void* function_or_handle);
  Kernel* kernel(KernelEntry* entry, cudaError_t* error);
  int registers_of(KernelEntry* entry, Kernel* kernel, bool* from_ptxas = nullptr);
};

// Remembers the error for cudaGetLastError and returns it.
cudaError_t set_error(cudaError_t error);
// The same with a message that names the place.
cudaError_t complain(cudaError_t error, const std::string& message);
void say(const std::string& message);
std::string readable(const std::string& name);  // of a kernel: demangled

struct Call {  // the common beginning of entry points
  Call() : lock(Runtime::get().mutex), rt(Runtime::get()) {}
  std::lock_guard<std::recursive_mutex> lock;
  Runtime& rt;
};
// Returns the sticky error, if there is one.
#define GPUSIM_ENTER(call) \
  ::gpusim::Call call;     \
  if (call.rt.sticky != cudaSuccess) return ::gpusim::set_error(call.rt.sticky)

bool known_stream(const Runtime& rt, cudaStream_t stream);

}  // namespace gpusim

// The state of the simulated runtime: what is registered, streams, events, the last error. What a call asks for is checked in the calling
// thread and done by the queue.
#pragma once
#include <cuda_runtime_api.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "../check/stream_shadow.h"
#include "../decode/program.h"
#include "device.h"
#include "ptxas.h"
#include "queue.h"

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
  std::map<std::string, Resources> resources;  // from ptxas, by kernel
};

struct Point {  // in the work of the device
  Queue::Ticket ticket = 0;
  Clock clock;  // what is done when it is reached
};
struct Stream {
  unsigned flags;
  int priority;
  unsigned long long id;
  Point last = {};  // of its work
};
struct Event {
  unsigned flags = 0;
  Point point;                                                  // of its last record; ticket 0: none
  std::shared_ptr<std::chrono::steady_clock::time_point> time;  // set when the queue comes to it
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
  Clock host, all;  // what the host, as one thread, knows to be done; what was submitted
  Stream legacy_stream = {0, 0, 1}, thread_stream = {0, 0, 2};
  std::set<Event*> events;
  unsigned long long next_stream = 3;
  std::atomic<cudaError_t> sticky{cudaSuccess};  // after a fault no call works any more
  uint32_t launches = 0;
  size_t limits[16] = {};
  unsigned device_flags = 0;

  Program* program(FatBinary* binary);  // null: binary->failure says why
  KernelEntry* find_kernel(const void* function_or_handle);
  Kernel* kernel(KernelEntry* entry, cudaError_t* error);
  Resources resources_of(KernelEntry* entry, Kernel* kernel, bool* from_ptxas = nullptr);
};

// Remembers the error for cudaGetLastError and returns it.
cudaError_t set_error(cudaError_t error);
// The same with a message that names the place.
cudaError_t complain(cudaError_t error, const std::string& message);
void say(const std::string& message);
std::string readable(const std::string& name);  // of a kernel: demangled

struct Call {  // the common beginning of entry points
  Call() : lock(Runtime::get().mutex), rt(Runtime::get()) {}
  cudaError_t refused() const;  // a sticky error, or a call from a host function
  // Lets other threads in and returns when the work is done: the sticky error, if there is one now.
  cudaError_t wait(const Point& point);
  cudaError_t wait_for_all() { return wait({Queue::get().last(), rt.all}); }
  std::unique_lock<std::recursive_mutex> lock;
  Runtime& rt;
};
#define GPUSIM_ENTER(call) \
  ::gpusim::Call call;     \
  if (const cudaError_t refused = call.refused()) return ::gpusim::set_error(refused)

Stream* find_stream(Runtime& rt, cudaStream_t stream);  // null if there is none
// Adds to the work of a stream, which has to exist. After a fault the queue skips it.
const Point& submit(Runtime& rt, cudaStream_t stream, std::function<void(const StreamWork&)> work);
// Work of a stream reads or writes memory of ours; where nothing orders it after the work of another stream it is a fault.
void note_access(Runtime& rt, const StreamWork& work, const std::string& what, uint64_t address, size_t bytes, bool write);
inline bool known_stream(Runtime& rt, cudaStream_t stream) { return find_stream(rt, stream) != nullptr; }

}  // namespace gpusim

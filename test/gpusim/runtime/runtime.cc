#include "runtime.h"

#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>

#include "../check/checks.h"
#include "../memory/device_memory.h"
#include "fatbin.h"

namespace gpusim {
namespace {

thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

cudaError_t take_last_error(bool reset) {
  const cudaError_t error = last_error != cudaSuccess ? last_error : Runtime::get().sticky.load();
  if (reset) last_error = cudaSuccess;
  return error;
}

Runtime& Runtime::get() {
  static Runtime* runtime = [] {
    auto* r = new Runtime;  // outlives the destructors of the program
    r->limits[cudaLimitStackSize] = 1024;
    r->limits[cudaLimitPrintfFifoSize] = 1 << 20;
    r->limits[cudaLimitMallocHeapSize] = 8 << 20;
    r->limits[cudaLimitMaxL2FetchGranularity] = 64;
    return r;
  }();
  return *runtime;
}

void say(const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "gpusim: %s\n", message.c_str());
  const char* abort_wanted = std::getenv("GPUSIM_ABORT");
  if (abort_wanted && *abort_wanted && *abort_wanted != '0') std::abort();
}

cudaError_t set_error(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

cudaError_t complain(cudaError_t error, const std::string& message) {
  say(message);
  return set_error(error);
}

std::string readable(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  const std::string result = text ? text : name;
  std::free(text);
  return result;
}

Program* Runtime::program(FatBinary* binary) {
  if (binary->program || binary->failure != cudaSuccess) return binary->program.get();
  std::string problem;
  std::string text = ptx_of(binary->wrapper, device_model().capability(), &problem);
  if (text.empty()) {
    binary->failure = cudaErrorNoKernelImageForDevice;
    say(problem);
    return nullptr;
  }
  try {
    binary->program = std::make_unique<Program>(parse_ptx(std::move(text)));
  } catch (const std::exception& error) {
    binary->failure = cudaErrorInvalidPtx;
    say(error.what());
  }
  return binary->program.get();
}

KernelEntry* Runtime::find_kernel(const void* function_or_handle) {
  const auto found = kernels.find(function_or_handle);
  if (found != kernels.end()) return found->second.get();
  if (kernel_handles.count(function_or_handle)) return static_cast<KernelEntry*>(const_cast<void*>(function_or_handle));
  return nullptr;
}

Kernel* Runtime::kernel(KernelEntry* entry, cudaError_t* error) {
  Program* p = program(entry->binary);
  if (!p) return *error = entry->binary->failure, nullptr;
  Kernel* kernel = p->kernel(entry->name);
  if (!kernel) {
    say("kernel " + entry->name + " is not in the PTX of its program");
    return *error = cudaErrorInvalidDeviceFunction, nullptr;
  }
  try {
    kernel->code();
  } catch (const Fault& fault) {
    say(std::string(check_name(fault.check)) + ": " + fault.what() + "\n    in kernel " + readable(entry->name));
    return *error = cudaErrorNotSupported, nullptr;
  }
  return kernel;
}

Resources Runtime::resources_of(KernelEntry* entry, Kernel* kernel, bool* from_ptxas) {
  std::map<std::string, Resources>& known = entry->binary->resources;
  if (known.empty() && std::getenv("GPUSIM_PTXAS")) known = resources_from_ptxas(kernel->code()->module->text, device_model().capability());
  const auto found = known.find(entry->name);
  if (from_ptxas) *from_ptxas = found != known.end();
  if (found != known.end()) return found->second;
  int estimate = kernel->code()->live_registers + 6;  // ptxas needs some for addresses and scheduling
  if (kernel->entry().max_registers) estimate = std::min(estimate, kernel->entry().max_registers);
  return {std::min(std::max(estimate, 16), kMaxRegistersPerThread), 0};
}

cudaError_t Call::refused() const {
  if (!Queue::is_its_thread()) return rt.sticky;
  say("a host function of a stream calls the runtime, which it must not");
  return cudaErrorNotPermitted;
}

cudaError_t Call::wait(const Point& point) {
  const Point until = point;
  lock.unlock();
  Queue::get().wait(until.ticket);
  lock.lock();
  join(rt.host, until.clock);
  return set_error(rt.sticky);
}

Stream* find_stream(Runtime& rt, cudaStream_t stream) {
  if (stream == nullptr || stream == cudaStreamLegacy) return &rt.legacy_stream;
  if (stream == cudaStreamPerThread) return &rt.thread_stream;
  const auto found = rt.streams.find(reinterpret_cast<Stream*>(stream));
  return found == rt.streams.end() ? nullptr : *found;
}

const Point& submit(Runtime& rt, cudaStream_t stream, std::function<void(const StreamWork&)> work) {
  Stream& s = *find_stream(rt, stream);
  Clock& clock = s.last.clock;
  join(clock, rt.host);
  if (s.id == rt.legacy_stream.id) {  // waits for all streams but those that say no, and they for it
    join(clock, rt.thread_stream.last.clock);
    for (const Stream* other : rt.streams)
      if (!(other->flags & cudaStreamNonBlocking)) join(clock, other->last.clock);
  } else if (!(s.flags & cudaStreamNonBlocking)) {
    join(clock, rt.legacy_stream.last.clock);
  }
  const uint64_t number = ++clock[s.id];
  rt.all[s.id] = number;
  s.last.ticket = Queue::get().submit([&rt, work = std::move(work), self = StreamWork{s.id, number, clock}] {
    if (rt.sticky == cudaSuccess) work(self);
  });
  return s.last;
}

void note_access(Runtime& rt, const StreamWork& work, const std::string& what, uint64_t address, size_t bytes, bool write) {
  Allocation a;
  if (!Checks::from_environment().race || !DeviceMemory::get().find(reinterpret_cast<const void*>(address), &a)) return;
  const std::string race = StreamShadow::get().access(work, what, a.address, address, address + bytes, write);
  if (race.empty()) return;
  rt.sticky = cudaErrorLaunchFailure;
  say("race: " + race + ": " + DeviceMemory::get().describe(address));
}

}  // namespace gpusim

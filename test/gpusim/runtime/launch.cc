// Launching kernels: limits and parameters when the call is made; the run, and what becomes of a fault, when the queue comes to it.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "../memory/device_memory.h"
#include "profile.h"
#include "runtime.h"

using namespace gpusim;

namespace {

struct Request {
  const void* function;
  dim3 grid, block;
  void** arguments;
  size_t dynamic_shared;
  cudaStream_t stream;
  bool cooperative = false;
};

int worker_threads() {
  const char* text = std::getenv("GPUSIM_THREADS");
  const int wanted = text ? std::atoi(text) : static_cast<int>(std::thread::hardware_concurrency());
  return wanted > 0 ? wanted : 1;
}

cudaError_t code_of(Check check) {
  switch (check) {
    case Check::kBounds: return cudaErrorIllegalAddress;
    case Check::kMisaligned: return cudaErrorMisalignedAddress;
    case Check::kInstruction: return cudaErrorIllegalInstruction;
    case Check::kAssert: return cudaErrorAssert;
    case Check::kTimeout: return cudaErrorLaunchTimeout;
    default: return cudaErrorLaunchFailure;
  }
}

std::string refused(const Request& r, const std::string& name, const std::string& why) {
  const auto text = [](dim3 d) { return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")"; };
  return "launch of " + name + " with grid " + text(r.grid) + ", block " + text(r.block) + ", " + std::to_string(r.dynamic_shared) +
         " bytes of dynamic shared memory: " + why;
}

// cudaSuccess if the device can run it.
cudaError_t check_limits(const Request& r, const KernelEntry& entry, const Kernel& kernel, int registers) {
  const DeviceModel& model = device_model();
  const auto no = [&](cudaError_t error, const std::string& why) { return complain(error, refused(r, readable(entry.name), why)); };
  const uint64_t threads = uint64_t{r.block.x} * r.block.y * r.block.z;
  if (threads == 0 || r.grid.x == 0 || r.grid.y == 0 || r.grid.z == 0) return no(cudaErrorInvalidConfiguration, "a dimension is 0");
  if (threads > kMaxThreadsPerBlock || r.block.x > 1024 || r.block.y > 1024 || r.block.z > 64)
    return no(cudaErrorInvalidConfiguration, "a block has at most 1024 threads, and 64 in z");
  if (r.grid.x > 0x7fffffff || r.grid.y > 65535 || r.grid.z > 65535) return no(cudaErrorInvalidConfiguration, "the grid is too large");
  const size_t shared = kernel.static_shared() + r.dynamic_shared;
  const size_t dynamic_limit = entry.max_dynamic_shared >= 0 ? static_cast<size_t>(entry.max_dynamic_shared)
                                                             : kSharedPerBlock - std::min(kSharedPerBlock, kernel.static_shared());
  if (r.dynamic_shared > dynamic_limit)
    return no(cudaErrorInvalidValue,
              "the limit is " + std::to_string(dynamic_limit) + " bytes (cudaFuncAttributeMaxDynamicSharedMemorySize raises it)");
  if (shared > model.shared_per_block_optin)
    return no(cudaErrorInvalidValue, "a block has at most " + std::to_string(model.shared_per_block_optin) + " bytes");
  const Function& f = kernel.entry();
  const uint64_t most = uint64_t(f.max_threads[0]) * static_cast<uint64_t>(f.max_threads[1]) * static_cast<uint64_t>(f.max_threads[2]);
  if (most && threads > most) return no(cudaErrorLaunchOutOfResources, "its launch bounds allow " + std::to_string(most) + " threads");
  if (f.required_threads[0] &&
      (r.block.x != static_cast<unsigned>(f.required_threads[0]) || r.block.y != static_cast<unsigned>(f.required_threads[1]) ||
       r.block.z != static_cast<unsigned>(f.required_threads[2])))
    return no(cudaErrorInvalidValue, "it requires another block size");
  const Occupancy fits = occupancy(model, static_cast<int>(threads),
                                   most ? std::min(registers, static_cast<int>(65536 / (most + 31) / 32 * 32)) : registers, shared);
  if (r.cooperative &&
      uint64_t{r.grid.x} * r.grid.y * r.grid.z > static_cast<uint64_t>(fits.blocks) * static_cast<uint64_t>(model.sm_count))
    return no(cudaErrorCooperativeLaunchTooLarge,
              "a cooperative launch has at most " + std::to_string(fits.blocks * model.sm_count) + " blocks of this kernel");
  return cudaSuccess;
}

// What the queue does.
void run_and_report(Runtime& rt, const StreamWork& work, Launch& run, LaunchFacts& facts, const std::string& report, int threads) {
  const auto start = std::chrono::steady_clock::now();
  run_launch(run, threads);
  facts.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (run.workspace) DeviceMemory::get().free(reinterpret_cast<void*>(run.workspace));
  if (!report.empty()) {
    facts.counters = &run.counters;
    add_profile(run.counters, &facts);
    append_report(report, facts);
  }
  for (const Touched& t : run.touched)
    for (const bool write : {false, true})
      if (t.high[write] > t.low[write]) note_access(rt, work, "kernel " + run.kernel, t.low[write], t.high[write] - t.low[write], write);
  if (run.faults.empty()) return;
  rt.sticky = code_of(run.faults[0].check);  // as on a device, it shows at a later call
  say(run.faults[0].message);
}

void set_from_environment(Launch& run) {
  run.checks = Checks::from_environment();
  const char *trace = std::getenv("GPUSIM_TRACE"), *limit = std::getenv("GPUSIM_LIMIT");
  run.trace = trace && run.kernel.find(trace) != std::string::npos;
  run.limit = limit ? std::strtoull(limit, nullptr, 10) : 0;
}

uint64_t new_workspace() {
  DeviceMemory& memory = DeviceMemory::get();
  void* workspace = memory.allocate(64, MemoryKind::kHeap);
  std::memset(workspace, 0, 64);
  memory.mark_written(reinterpret_cast<uint64_t>(workspace), 64);
  return reinterpret_cast<uint64_t>(workspace);
}

cudaError_t launch(const Request& r) {
  GPUSIM_ENTER(call);
  Runtime& rt = call.rt;
  if (!known_stream(rt, r.stream)) return complain(cudaErrorInvalidResourceHandle, "a launch into a stream that does not exist");
  KernelEntry* entry = rt.find_kernel(r.function);
  if (!entry) return complain(cudaErrorInvalidDeviceFunction, "a launch of something that is no kernel");
  cudaError_t error = cudaSuccess;
  Kernel* kernel = rt.kernel(entry, &error);
  if (!kernel) return set_error(error);
  bool from_ptxas = false;
  const Resources resources = rt.resources_of(entry, kernel, &from_ptxas);
  error = check_limits(r, *entry, *kernel, resources.registers);
  if (error != cudaSuccess) return error;

  const DeviceModel& model = device_model();
  const auto run = std::make_shared<Launch>();
  run->code = kernel->code();
  run->resolver = kernel;
  run->kernel = readable(entry->name);
  const unsigned grid[] = {r.grid.x, r.grid.y, r.grid.z}, block[] = {r.block.x, r.block.y, r.block.z};
  std::memcpy(run->grid, grid, sizeof grid);
  std::memcpy(run->block, block, sizeof block);
  run->parameters.resize(kernel->entry().parameter_bytes);
  size_t i = 0;
  for (const Variable& p : kernel->entry().parameters) std::memcpy(run->parameters.data() + p.offset, r.arguments[i++], p.bytes);
  run->dynamic_shared = r.dynamic_shared;
  run->static_shared = r.dynamic_shared ? kernel->dynamic_offset() : kernel->static_shared();
  run->cooperative = r.cooperative;
  const Occupancy fits = occupancy(model, run->threads_per_block(), resources.registers, run->static_shared + run->dynamic_shared);
  run->resident_blocks = std::max(fits.blocks, 1) * model.sm_count;
  run->sm_count = model.sm_count;
  set_from_environment(*run);
  const char* file = std::getenv("GPUSIM_REPORT");
  const std::string report = file ? file : "";
  run->count_memory = !report.empty();
  run->number = ++rt.launches;
  if (r.cooperative) run->workspace = new_workspace();
  LaunchFacts facts = {};
  facts.kernel = run->kernel;
  facts.device = model.name;
  facts.limit = fits.limit;
  std::memcpy(facts.grid, grid, sizeof grid);
  std::memcpy(facts.block, block, sizeof block);
  facts.static_shared = kernel->static_shared();
  facts.dynamic_shared = r.dynamic_shared;
  facts.registers = resources.registers;
  facts.spilled_bytes = resources.spilled_bytes;
  facts.registers_from_ptxas = from_ptxas;
  facts.blocks_per_sm = fits.blocks;
  facts.threads_per_sm = model.threads_per_sm;
  const Point& end = submit(rt, r.stream, [&rt, run, facts, report, threads = worker_threads()](const StreamWork& work) mutable {
    run_and_report(rt, work, *run, facts, report, threads);
  });
  const char* blocking = std::getenv("CUDA_LAUNCH_BLOCKING");
  return blocking && *blocking == '1' ? call.wait(end) : cudaSuccess;
}

cudaError_t launch_with_attributes(const cudaLaunchConfig_t* config, const void* function, void** arguments) {
  Request r = {function, config->gridDim, config->blockDim, arguments, config->dynamicSmemBytes, config->stream};
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const cudaLaunchAttribute& a = config->attrs[i];
    if (a.id == cudaLaunchAttributeCooperative) r.cooperative = a.val.cooperative != 0;
    if (a.id == cudaLaunchAttributeClusterDimension && (a.val.clusterDim.x > 1 || a.val.clusterDim.y > 1 || a.val.clusterDim.z > 1))
      return complain(cudaErrorNotSupported, "clusters are not supported");
  }
  return launch(r);
}

}  // namespace

extern "C" {

cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream) {
  return launch({function, grid, block, arguments, shared, stream});
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream) {
  return launch({kernel, grid, block, arguments, shared, stream});
}

cudaError_t cudaLaunchCooperativeKernel(const void* function, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream) {
  Request r = {function, grid, block, arguments, shared, stream};
  r.cooperative = true;
  return launch(r);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function, void** arguments) {
  return launch_with_attributes(config, function, arguments);
}

}  // extern "C"

// The entry points that nvcc's host code calls before main: fat binaries, kernels and variables.
#include <algorithm>

#include "runtime.h"

using namespace gpusim;

namespace {

struct Configuration {
  dim3 grid, block;
  size_t shared;
  cudaStream_t stream;
};
thread_local std::vector<Configuration> configurations;

}  // namespace

extern "C" {

void** __cudaRegisterFatBinary(void* wrapper) {
  Call call;
  auto binary = std::make_unique<FatBinary>();
  binary->wrapper = wrapper;
  void** handle = &binary->handle;
  call.rt.binaries.push_back(std::move(binary));
  return handle;
}

void __cudaRegisterFatBinaryEnd(void**) {}

// When a library is unloaded, and at exit, when other threads may still run. The program itself goes when the work that may use it is done.
void __cudaUnregisterFatBinary(void** handle) {
  Call call;
  auto* binary = static_cast<FatBinary*>(*handle);
  const auto forget = [binary](auto& map, auto owner) {
    for (auto at = map.begin(); at != map.end();) at = owner(at->second) == binary ? map.erase(at) : std::next(at);
  };
  for (const auto& [host, entry] : call.rt.kernels)
    if (entry->binary == binary) call.rt.kernel_handles.erase(entry.get());
  forget(call.rt.kernels, [](const auto& entry) { return entry->binary; });
  forget(call.rt.variables, [](const auto& entry) { return entry.binary; });
  for (auto& owned : call.rt.binaries)
    if (owned.get() == binary) {
      const std::shared_ptr<FatBinary> gone(std::move(owned));
      Queue::get().submit([gone] {});
    }
  const auto left = std::remove(call.rt.binaries.begin(), call.rt.binaries.end(), nullptr);
  call.rt.binaries.erase(left, call.rt.binaries.end());
}

char __cudaInitModule(void** handle) {
  Call call;
  return call.rt.program(static_cast<FatBinary*>(*handle)) ? 1 : 0;
}

void __cudaRegisterFunction(void** handle, const char* host, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*, int*) {
  Call call;
  auto entry = std::make_unique<KernelEntry>();
  entry->binary = static_cast<FatBinary*>(*handle);
  entry->name = name;
  call.rt.kernel_handles.insert(entry.get());
  call.rt.kernels[host] = std::move(entry);
}

void __cudaRegisterVar(void** handle, char* host, char*, const char* name, int, size_t bytes, int, int) {
  Call call;
  call.rt.variables[host] = {static_cast<FatBinary*>(*handle), name, bytes};
}

void __cudaRegisterManagedVar(void** handle, void** host, char*, const char* name, int, size_t bytes, int, int) {
  Call call;
  auto* binary = static_cast<FatBinary*>(*handle);
  call.rt.variables[host] = {binary, name, bytes};
  if (Program* program = call.rt.program(binary)) *host = reinterpret_cast<void*>(program->variable(name));
}

void __cudaRegisterHostVar(void**, const char*, char*, size_t) {}
void __cudaRegisterUnifiedTable(void**, void*) {}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, cudaStream_t stream) {
  configurations.push_back({grid, block, shared, stream});
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  if (configurations.empty()) return set_error(cudaErrorMissingConfiguration);
  const Configuration c = configurations.back();
  configurations.pop_back();
  *grid = c.grid;
  *block = c.block;
  *shared = c.shared;
  *static_cast<cudaStream_t*>(stream) = c.stream;
  return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* function) {
  Call call;
  *kernel = reinterpret_cast<cudaKernel_t>(call.rt.find_kernel(function));
  return *kernel ? cudaSuccess : set_error(cudaErrorInvalidDeviceFunction);
}

cudaError_t cudaGetKernel(cudaKernel_t* kernel, const void* function) { return __cudaGetKernel(kernel, function); }

cudaError_t cudaGetFuncBySymbol(cudaFunction_t* function, const void* symbol) {
  return __cudaGetKernel(reinterpret_cast<cudaKernel_t*>(function), symbol);
}

cudaError_t cudaFuncGetName(const char** name, const void* function) {
  Call call;
  const KernelEntry* entry = call.rt.find_kernel(function);
  if (!entry) return set_error(cudaErrorInvalidDeviceFunction);
  *name = entry->name.c_str();
  return cudaSuccess;
}

}  // extern "C"

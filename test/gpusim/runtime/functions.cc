// Attributes and occupancy of kernels.
#include <cstring>

#include "runtime.h"

using namespace gpusim;

namespace {

// The kernel behind a host function or handle; null after *error is set.
Kernel* find(Runtime& rt, const void* function, KernelEntry** entry, cudaError_t* error) {
  *entry = rt.find_kernel(function);
  *error = cudaErrorInvalidDeviceFunction;
  return *entry ? rt.kernel(*entry, error) : nullptr;
}

cudaError_t blocks_per_sm(int* blocks, const void* function, int threads, size_t dynamic_shared) {
  GPUSIM_ENTER(call);
  KernelEntry* entry;
  cudaError_t error;
  Kernel* kernel = find(call.rt, function, &entry, &error);
  if (!kernel) return set_error(error);
  if (threads <= 0) return set_error(cudaErrorInvalidValue);
  *blocks = threads > kMaxThreadsPerBlock ? 0
                                          : occupancy(device_model(), threads, call.rt.resources_of(entry, kernel).registers,
                                                      kernel->static_shared() + dynamic_shared)
                                                .blocks;
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* a, const void* function) {
  GPUSIM_ENTER(call);
  KernelEntry* entry;
  cudaError_t error;
  Kernel* kernel = find(call.rt, function, &entry, &error);
  if (!kernel) return set_error(error);
  std::memset(a, 0, sizeof *a);
  const Function& f = kernel->entry();
  const int most = f.max_threads[0] * f.max_threads[1] * f.max_threads[2];
  a->sharedSizeBytes = kernel->static_shared();
  a->localSizeBytes = kernel->code()->local_bytes;
  a->maxThreadsPerBlock = most ? most : kMaxThreadsPerBlock;
  a->numRegs = call.rt.resources_of(entry, kernel).registers;
  a->ptxVersion = a->binaryVersion = kernel->code()->module->target;
  a->maxDynamicSharedSizeBytes = entry->max_dynamic_shared >= 0
                                     ? entry->max_dynamic_shared
                                     : static_cast<int>(kSharedPerBlock - std::min(kSharedPerBlock, a->sharedSizeBytes));
  a->preferredShmemCarveout = entry->carveout;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  GPUSIM_ENTER(call);
  KernelEntry* entry;
  cudaError_t error;
  Kernel* kernel = find(call.rt, function, &entry, &error);
  if (!kernel) return set_error(error);
  if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
    const size_t room = device_model().shared_per_block_optin - kernel->static_shared();
    if (value < 0 || static_cast<size_t>(value) > room)
      return complain(cudaErrorInvalidValue, "cudaFuncSetAttribute: " + readable(entry->name) + " can have at most " +
                                                 std::to_string(room) + " bytes of dynamic shared memory, not " + std::to_string(value));
    entry->max_dynamic_shared = value;
  } else if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) {
    if (value < -1 || value > 100) return set_error(cudaErrorInvalidValue);
    entry->carveout = value;
  } else {
    return complain(cudaErrorNotSupported, "cudaFuncSetAttribute: attribute " + std::to_string(attribute) + " is not supported");
  }
  return cudaSuccess;
}

cudaError_t cudaFuncSetCacheConfig(const void*, cudaFuncCache) { return cudaSuccess; }
cudaError_t cudaFuncSetSharedMemConfig(const void*, cudaSharedMemConfig) { return cudaSuccess; }

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* function, int threads, size_t dynamic_shared) {
  return blocks_per_sm(blocks, function, threads, dynamic_shared);
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* function, int threads, size_t dynamic_shared,
                                                                   unsigned) {
  return blocks_per_sm(blocks, function, threads, dynamic_shared);
}

cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, const void* function, int blocks, int threads) {
  GPUSIM_ENTER(call);
  KernelEntry* entry;
  cudaError_t error;
  Kernel* kernel = find(call.rt, function, &entry, &error);
  if (!kernel) return set_error(error);
  if (blocks <= 0 || threads <= 0) return set_error(cudaErrorInvalidValue);
  const size_t share = device_model().shared_per_sm / static_cast<size_t>(blocks) / 128 * 128,
               taken = kReservedPerBlock + kernel->static_shared();
  *bytes = std::min(share > taken ? share - taken : 0, device_model().shared_per_block_optin - kernel->static_shared());
  return cudaSuccess;
}

}  // extern "C"

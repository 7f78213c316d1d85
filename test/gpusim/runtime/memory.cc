// Allocation, and what is known about pointers.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../memory/device_memory.h"
#include "runtime.h"

using namespace gpusim;

namespace {

DeviceMemory& memory() { return DeviceMemory::get(); }

cudaError_t allocate(void** pointer, size_t bytes, MemoryKind kind) {
  GPUSIM_ENTER(call);
  if (!pointer) return set_error(cudaErrorInvalidValue);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  *pointer = memory().allocate(bytes, kind, 256, "", memory_bytes());
  if (*pointer) return cudaSuccess;
  if (const cudaError_t error = call.wait_for_all()) return error;  // for cudaFreeAsync
  *pointer = memory().allocate(bytes, kind, 256, "", memory_bytes());
  return *pointer ? cudaSuccess : set_error(cudaErrorMemoryAllocation);
}

bool is_host(MemoryKind kind) { return kind == MemoryKind::kHost; }
bool is_device(MemoryKind kind) { return kind == MemoryKind::kDevice || kind == MemoryKind::kManaged; }

cudaError_t release_now(void* pointer, const char* what, bool (*allowed)(MemoryKind)) {
  const std::string place = memory().describe(reinterpret_cast<uint64_t>(pointer));
  StreamShadow::get().forget(reinterpret_cast<uint64_t>(pointer));
  switch (memory().free(pointer, allowed)) {
    case DeviceMemory::Freed::kOk: return cudaSuccess;
    case DeviceMemory::Freed::kTwice: return complain(cudaErrorInvalidValue, std::string(what) + ": freed twice: " + place);
    default: return complain(cudaErrorInvalidValue, std::string(what) + ": not the start of such an allocation: " + place);
  }
}

// Allocating and freeing in the order of a stream is a write for all others.
void access_all(Runtime& rt, cudaStream_t stream, void* pointer, size_t bytes, const char* what) {
  submit(rt, stream, [=, &rt](const StreamWork& work) { note_access(rt, work, what, reinterpret_cast<uint64_t>(pointer), bytes, true); });
}

cudaError_t release(void* pointer, const char* what, bool (*allowed)(MemoryKind)) {
  GPUSIM_ENTER(call);
  if (!pointer) return cudaSuccess;
  const cudaError_t error = call.wait_for_all();
  return error == cudaSuccess ? release_now(pointer, what, allowed) : error;
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** pointer, size_t bytes) { return allocate(pointer, bytes, MemoryKind::kDevice); }
cudaError_t cudaMallocHost(void** pointer, size_t bytes) { return allocate(pointer, bytes, MemoryKind::kHost); }
cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) { return allocate(pointer, bytes, MemoryKind::kHost); }
cudaError_t cudaMallocManaged(void** pointer, size_t bytes, unsigned flags) {
  if (flags != cudaMemAttachGlobal && flags != cudaMemAttachHost) return set_error(cudaErrorInvalidValue);
  return bytes ? allocate(pointer, bytes, MemoryKind::kManaged) : set_error(cudaErrorInvalidValue);
}
cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t stream) {
  if (const cudaError_t error = allocate(pointer, bytes, MemoryKind::kDevice); error != cudaSuccess || !*pointer) return error;
  GPUSIM_ENTER(call);
  if (!known_stream(call.rt, stream)) return complain(cudaErrorInvalidResourceHandle, "cudaMallocAsync: a stream that does not exist");
  access_all(call.rt, stream, *pointer, bytes, "cudaMallocAsync");
  return cudaSuccess;
}
cudaError_t cudaMallocFromPoolAsync(void** pointer, size_t bytes, cudaMemPool_t, cudaStream_t stream) {
  return cudaMallocAsync(pointer, bytes, stream);
}
cudaError_t cudaMallocPitch(void** pointer, size_t* pitch, size_t width, size_t height) {
  *pitch = (width + 511) / 512 * 512;
  return allocate(pointer, *pitch * height, MemoryKind::kDevice);
}
cudaError_t cudaFree(void* pointer) { return release(pointer, "cudaFree", is_device); }
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  GPUSIM_ENTER(call);
  if (!pointer) return cudaSuccess;
  if (!known_stream(call.rt, stream)) return complain(cudaErrorInvalidResourceHandle, "cudaFreeAsync: a stream that does not exist");
  Allocation a;
  if (!memory().find(pointer, &a) || a.address != reinterpret_cast<uintptr_t>(pointer) || !is_device(a.kind))
    return release_now(pointer, "cudaFreeAsync", is_device);  // says what is wrong
  access_all(call.rt, stream, pointer, a.bytes, "cudaFreeAsync");
  submit(call.rt, stream, [pointer](const StreamWork&) { release_now(pointer, "cudaFreeAsync", is_device); });
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* pointer) { return release(pointer, "cudaFreeHost", is_host); }

cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned) {
  GPUSIM_ENTER(call);
  if (!pointer || bytes == 0) return set_error(cudaErrorInvalidValue);
  if (memory().is_external(reinterpret_cast<uint64_t>(pointer), 1)) return set_error(cudaErrorHostMemoryAlreadyRegistered);
  memory().register_external(pointer, bytes);
  return cudaSuccess;
}
cudaError_t cudaHostUnregister(void* pointer) {
  GPUSIM_ENTER(call);
  if (const cudaError_t error = call.wait_for_all()) return error;
  return memory().unregister_external(pointer) ? cudaSuccess : set_error(cudaErrorHostMemoryNotRegistered);
}
cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
  GPUSIM_ENTER(call);
  Allocation a;
  const bool known = (memory().find(host, &a) && a.kind == MemoryKind::kHost) || memory().is_external(reinterpret_cast<uint64_t>(host), 1);
  *device = known ? host : nullptr;
  return known ? cudaSuccess : set_error(cudaErrorInvalidValue);
}
cudaError_t cudaHostGetFlags(unsigned* flags, void*) { return *flags = cudaHostAllocMapped, cudaSuccess; }

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  GPUSIM_ENTER(call);
  std::memset(attributes, 0, sizeof *attributes);
  Allocation a;
  void* const p = const_cast<void*>(pointer);
  if (memory().find(pointer, &a)) {
    attributes->type = a.kind == MemoryKind::kHost      ? cudaMemoryTypeHost
                       : a.kind == MemoryKind::kManaged ? cudaMemoryTypeManaged
                                                        : cudaMemoryTypeDevice;
    attributes->devicePointer = p;
    attributes->hostPointer = a.kind == MemoryKind::kHost || a.kind == MemoryKind::kManaged ? p : nullptr;
  } else if (memory().is_external(reinterpret_cast<uint64_t>(pointer), 1)) {
    attributes->type = cudaMemoryTypeHost;
    attributes->devicePointer = attributes->hostPointer = p;
  } else {
    attributes->type = cudaMemoryTypeUnregistered;
    attributes->device = -2;
    attributes->hostPointer = p;
  }
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  GPUSIM_ENTER(call);
  *total = memory_bytes();
  *free = *total - std::min(*total, memory().used());
  return cudaSuccess;
}

cudaError_t cudaMemAdvise(const void*, size_t, cudaMemoryAdvise, cudaMemLocation) { return cudaSuccess; }
cudaError_t cudaMemPrefetchAsync(const void*, size_t, cudaMemLocation, unsigned, cudaStream_t) { return cudaSuccess; }

cudaError_t cudaGetSymbolAddress(void** pointer, const void* symbol) {
  GPUSIM_ENTER(call);
  const auto found = call.rt.variables.find(symbol);
  if (found == call.rt.variables.end()) return complain(cudaErrorInvalidSymbol, "an unknown device variable");
  Program* program = call.rt.program(found->second.binary);
  if (!program) return set_error(found->second.binary->failure);
  *pointer = reinterpret_cast<void*>(program->variable(found->second.name));
  return *pointer ? cudaSuccess : complain(cudaErrorInvalidSymbol, "variable '" + found->second.name + "' is not in the PTX");
}

cudaError_t cudaGetSymbolSize(size_t* bytes, const void* symbol) {
  GPUSIM_ENTER(call);
  const auto found = call.rt.variables.find(symbol);
  if (found == call.rt.variables.end()) return complain(cudaErrorInvalidSymbol, "an unknown device variable");
  *bytes = found->second.bytes;
  return cudaSuccess;
}

// Pools exist in name: every allocation is fresh.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  return *pool = reinterpret_cast<cudaMemPool_t>(&memory()), cudaSuccess;
}
cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* pool, int) { return *pool = reinterpret_cast<cudaMemPool_t>(&memory()), cudaSuccess; }
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }

}  // extern "C"

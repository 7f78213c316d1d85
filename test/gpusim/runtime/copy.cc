// Copies and fills. Every pointer is looked up: ranges that leave their allocation are refused, with a message.
#include <cstring>

#include "../memory/device_memory.h"
#include "runtime.h"

using namespace gpusim;

namespace {

DeviceMemory& memory() { return DeviceMemory::get(); }

struct Side {
  bool ours = false;    // in the device's address range
  bool device = false;  // memory that only the device can reach
};

// False after a message if a range of ours leaves its allocation.
bool look(const char* what, const void* pointer, size_t bytes, Side* side) {
  const uint64_t address = reinterpret_cast<uint64_t>(pointer);
  side->ours = memory().contains(address);
  if (!side->ours) return true;
  Allocation a;
  const bool found = memory().find(pointer, &a);
  if (found && a.bytes - (address - a.address) >= bytes) {
    side->device = a.kind != MemoryKind::kHost && a.kind != MemoryKind::kManaged;
    return true;
  }
  say(std::string(what) + " of " + std::to_string(bytes) + " bytes: " + memory().describe(address) +
      (found ? ": the range ends after it" : ""));
  return false;
}

cudaError_t copy(const char* what, void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (bytes == 0) return cudaSuccess;
  if (!to || !from) return complain(cudaErrorInvalidValue, std::string(what) + ": a null pointer");
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault)
    return complain(cudaErrorInvalidMemcpyDirection, std::string(what) + ": an unknown direction");
  Side target, source;
  if (!look(what, to, bytes, &target) || !look(what, from, bytes, &source)) return set_error(cudaErrorInvalidValue);
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice,
             from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind != cudaMemcpyDefault) {
    const auto reachable = [](const Side& side, const void* p) {
      return side.ours || memory().is_external(reinterpret_cast<uint64_t>(p), 1);
    };
    if ((to_device && !reachable(target, to)) || (from_device && !reachable(source, from)))
      return complain(cudaErrorInvalidValue, std::string(what) + ": the direction says device memory, but the pointer is to the host's");
    if ((!to_device && target.device) || (!from_device && source.device))
      return complain(cudaErrorInvalidValue, std::string(what) + ": the direction says host memory, but the pointer is to the device's");
  }
  std::memmove(to, from, bytes);
  const uint64_t t = reinterpret_cast<uint64_t>(to), f = reinterpret_cast<uint64_t>(from);
  if (target.ours && source.ours)
    std::memmove(memory().shadow(t), memory().shadow(f), bytes);  // what was never written stays so
  else if (target.ours)
    memory().mark_written(t, bytes);
  return cudaSuccess;
}

cudaError_t copy_2d(const char* what, void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                    cudaMemcpyKind kind) {
  if (width > to_pitch || width > from_pitch)
    return complain(cudaErrorInvalidPitchValue, std::string(what) + ": a row is wider than its pitch");
  for (size_t row = 0; row < height; ++row) {
    const cudaError_t error =
        copy(what, static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch, width, kind);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t fill(const char* what, void* to, int value, size_t bytes) {
  if (bytes == 0) return cudaSuccess;
  Side side;
  if (!look(what, to, bytes, &side)) return set_error(cudaErrorInvalidValue);
  if (!side.ours && !memory().is_external(reinterpret_cast<uint64_t>(to), bytes))
    return complain(cudaErrorInvalidValue, std::string(what) + ": not device memory");
  std::memset(to, value, bytes);
  if (side.ours) memory().mark_written(reinterpret_cast<uint64_t>(to), bytes);
  return cudaSuccess;
}

cudaError_t copy_symbol(const char* what, const void* symbol, size_t offset, void* host, size_t bytes, cudaMemcpyKind kind,
                        bool to_symbol) {
  void* at = nullptr;
  size_t size = 0;
  cudaError_t error = cudaGetSymbolAddress(&at, symbol);
  if (error == cudaSuccess) error = cudaGetSymbolSize(&size, symbol);
  if (error != cudaSuccess) return error;
  if (offset > size || bytes > size - offset)
    return complain(cudaErrorInvalidValue, std::string(what) + " of " + std::to_string(bytes) + " bytes at offset " +
                                               std::to_string(offset) + ": the variable has " + std::to_string(size));
  at = static_cast<char*>(at) + offset;
  return to_symbol ? copy(what, at, host, bytes, kind) : copy(what, host, at, bytes, kind);
}

cudaError_t check_stream(const Call& call, cudaStream_t stream) {
  return known_stream(call.rt, stream) ? cudaSuccess : complain(cudaErrorInvalidResourceHandle, "a copy into a stream that does not exist");
}

#define GPUSIM_ENTER_STREAM(call, stream) \
  GPUSIM_ENTER(call);                     \
  if (check_stream(call, stream) != cudaSuccess) return cudaErrorInvalidResourceHandle

}  // namespace

extern "C" {

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  GPUSIM_ENTER(call);
  return copy("cudaMemcpy", to, from, bytes, kind);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return copy("cudaMemcpyAsync", to, from, bytes, kind);
}
cudaError_t cudaMemcpyPeer(void* to, int, const void* from, int, size_t bytes) {
  GPUSIM_ENTER(call);
  return copy("cudaMemcpyPeer", to, from, bytes, cudaMemcpyDeviceToDevice);
}
cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, cudaMemcpyKind kind) {
  GPUSIM_ENTER(call);
  return copy_2d("cudaMemcpy2D", to, to_pitch, from, from_pitch, width, height, kind);
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return copy_2d("cudaMemcpy2DAsync", to, to_pitch, from, from_pitch, width, height, kind);
}
cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  GPUSIM_ENTER(call);
  return fill("cudaMemset", to, value, bytes);
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return fill("cudaMemsetAsync", to, value, bytes);
}
cudaError_t cudaMemset2D(void* to, size_t pitch, int value, size_t width, size_t height) {
  GPUSIM_ENTER(call);
  cudaError_t error = cudaSuccess;
  for (size_t row = 0; row < height && error == cudaSuccess; ++row)
    error = fill("cudaMemset2D", static_cast<char*>(to) + row * pitch, value, width);
  return error;
}
cudaError_t cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t) {
  return cudaMemset2D(to, pitch, value, width, height);
}
cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, size_t bytes, size_t offset, cudaMemcpyKind kind) {
  GPUSIM_ENTER(call);
  return copy_symbol("cudaMemcpyToSymbol", symbol, offset, const_cast<void*>(from), bytes, kind, true);
}
cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, size_t bytes, size_t offset, cudaMemcpyKind kind) {
  GPUSIM_ENTER(call);
  return copy_symbol("cudaMemcpyFromSymbol", symbol, offset, to, bytes, kind, false);
}
cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* from, size_t bytes, size_t offset, cudaMemcpyKind kind,
                                    cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return copy_symbol("cudaMemcpyToSymbolAsync", symbol, offset, const_cast<void*>(from), bytes, kind, true);
}
cudaError_t cudaMemcpyFromSymbolAsync(void* to, const void* symbol, size_t bytes, size_t offset, cudaMemcpyKind kind, cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return copy_symbol("cudaMemcpyFromSymbolAsync", symbol, offset, to, bytes, kind, false);
}

}  // extern "C"

// Copies and fills. Every pointer is looked up when the call is made: ranges that leave their allocation are refused, with a message. Calls
// with Async in their name return at once, unless the host's memory is pageable: then they wait, as a driver may.
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

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
  bool to_ours, from_ours;
  bool pageable;

  void run(Runtime& rt, const StreamWork& work) const {
    std::memmove(to, from, bytes);
    const uint64_t t = reinterpret_cast<uint64_t>(to), f = reinterpret_cast<uint64_t>(from);
    if (from_ours) note_access(rt, work, "a copy", f, bytes, false);
    if (to_ours) note_access(rt, work, "a copy", t, bytes, true);
    if (to_ours && from_ours)
      std::memmove(memory().shadow(t), memory().shadow(f), bytes);  // what was never written stays so
    else if (to_ours)
      memory().mark_written(t, bytes);
  }
};

cudaError_t check_copy(const char* what, void* to, const void* from, size_t bytes, cudaMemcpyKind kind, Copy* copy) {
  if (!to || !from) return complain(cudaErrorInvalidValue, std::string(what) + ": a null pointer");
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault)
    return complain(cudaErrorInvalidMemcpyDirection, std::string(what) + ": an unknown direction");
  Side target, source;
  if (!look(what, to, bytes, &target) || !look(what, from, bytes, &source)) return set_error(cudaErrorInvalidValue);
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice,
             from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const auto reachable = [](const Side& side, const void* p) {
    return side.ours || memory().is_external(reinterpret_cast<uint64_t>(p), 1);
  };
  if (kind != cudaMemcpyDefault) {
    if ((to_device && !reachable(target, to)) || (from_device && !reachable(source, from)))
      return complain(cudaErrorInvalidValue, std::string(what) + ": the direction says device memory, but the pointer is to the host's");
    if ((!to_device && target.device) || (!from_device && source.device))
      return complain(cudaErrorInvalidValue, std::string(what) + ": the direction says host memory, but the pointer is to the device's");
  }
  *copy = {to, from, bytes, target.ours, source.ours, !reachable(target, to) || !reachable(source, from)};
  return cudaSuccess;
}

cudaError_t copy(Call& call, const char* what, void* to, const void* from, size_t bytes, cudaMemcpyKind kind, bool async = false,
                 cudaStream_t stream = nullptr) {
  if (bytes == 0) return cudaSuccess;
  Copy work;
  if (const cudaError_t error = check_copy(what, to, from, bytes, kind, &work)) return error;
  const Point& end = submit(call.rt, stream, [work, &rt = call.rt](const StreamWork& self) { work.run(rt, self); });
  return async && !work.pageable ? cudaSuccess : call.wait(end);
}

cudaError_t copy_2d(Call& call, const char* what, void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                    size_t height, cudaMemcpyKind kind, bool async = false, cudaStream_t stream = nullptr) {
  if (width > to_pitch || width > from_pitch)
    return complain(cudaErrorInvalidPitchValue, std::string(what) + ": a row is wider than its pitch");
  if (width == 0 || height == 0) return cudaSuccess;
  std::vector<Copy> rows(height);
  for (size_t row = 0; row < height; ++row)
    if (const cudaError_t error = check_copy(what, static_cast<char*>(to) + row * to_pitch,
                                             static_cast<const char*>(from) + row * from_pitch, width, kind, &rows[row]))
      return error;
  const bool pageable = rows[0].pageable;
  const Point& end = submit(call.rt, stream, [rows = std::move(rows), &rt = call.rt](const StreamWork& self) {
    for (const Copy& row : rows) row.run(rt, self);
  });
  return async && !pageable ? cudaSuccess : call.wait(end);
}

cudaError_t fill(Call& call, const char* what, void* to, size_t pitch, int value, size_t width, size_t height, bool async,
                 cudaStream_t stream) {
  if (width == 0 || height == 0) return cudaSuccess;
  const size_t bytes = pitch * (height - 1) + width;
  Side side;
  if (!look(what, to, bytes, &side)) return set_error(cudaErrorInvalidValue);
  if (!side.ours && !memory().is_external(reinterpret_cast<uint64_t>(to), bytes))
    return complain(cudaErrorInvalidValue, std::string(what) + ": not device memory");
  const Point& end = submit(call.rt, stream, [=, ours = side.ours, &rt = call.rt](const StreamWork& work) {
    if (ours) note_access(rt, work, "a fill", reinterpret_cast<uint64_t>(to), bytes, true);
    for (size_t row = 0; row < height; ++row) {
      char* at = static_cast<char*>(to) + row * pitch;
      std::memset(at, value, width);
      if (ours) memory().mark_written(reinterpret_cast<uint64_t>(at), width);
    }
  });
  return async ? cudaSuccess : call.wait(end);
}

cudaError_t copy_symbol(Call& call, const char* what, const void* symbol, size_t offset, void* host, size_t bytes, cudaMemcpyKind kind,
                        bool to_symbol, bool async = false, cudaStream_t stream = nullptr) {
  void* at = nullptr;
  size_t size = 0;
  cudaError_t error = cudaGetSymbolAddress(&at, symbol);
  if (error == cudaSuccess) error = cudaGetSymbolSize(&size, symbol);
  if (error != cudaSuccess) return error;
  if (offset > size || bytes > size - offset)
    return complain(cudaErrorInvalidValue, std::string(what) + " of " + std::to_string(bytes) + " bytes at offset " +
                                               std::to_string(offset) + ": the variable has " + std::to_string(size));
  at = static_cast<char*>(at) + offset;
  return copy(call, what, to_symbol ? at : host, to_symbol ? host : at, bytes, kind, async, stream);
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
  return copy(call, "cudaMemcpy", to, from, bytes, kind);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return copy(call, "cudaMemcpyAsync", to, from, bytes, kind, true, stream);
}
cudaError_t cudaMemcpyPeer(void* to, int, const void* from, int, size_t bytes) {
  GPUSIM_ENTER(call);
  return copy(call, "cudaMemcpyPeer", to, from, bytes, cudaMemcpyDeviceToDevice);
}
cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, cudaMemcpyKind kind) {
  GPUSIM_ENTER(call);
  return copy_2d(call, "cudaMemcpy2D", to, to_pitch, from, from_pitch, width, height, kind);
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return copy_2d(call, "cudaMemcpy2DAsync", to, to_pitch, from, from_pitch, width, height, kind, true, stream);
}
cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  GPUSIM_ENTER(call);
  return fill(call, "cudaMemset", to, bytes, value, bytes, 1, false, nullptr);
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return fill(call, "cudaMemsetAsync", to, bytes, value, bytes, 1, true, stream);
}
cudaError_t cudaMemset2D(void* to, size_t pitch, int value, size_t width, size_t height) {
  GPUSIM_ENTER(call);
  return fill(call, "cudaMemset2D", to, pitch, value, width, height, false, nullptr);
}
cudaError_t cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return fill(call, "cudaMemset2DAsync", to, pitch, value, width, height, true, stream);
}
cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, size_t bytes, size_t offset, cudaMemcpyKind kind) {
  GPUSIM_ENTER(call);
  return copy_symbol(call, "cudaMemcpyToSymbol", symbol, offset, const_cast<void*>(from), bytes, kind, true);
}
cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, size_t bytes, size_t offset, cudaMemcpyKind kind) {
  GPUSIM_ENTER(call);
  return copy_symbol(call, "cudaMemcpyFromSymbol", symbol, offset, to, bytes, kind, false);
}
cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* from, size_t bytes, size_t offset, cudaMemcpyKind kind,
                                    cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return copy_symbol(call, "cudaMemcpyToSymbolAsync", symbol, offset, const_cast<void*>(from), bytes, kind, true, true, stream);
}
cudaError_t cudaMemcpyFromSymbolAsync(void* to, const void* symbol, size_t bytes, size_t offset, cudaMemcpyKind kind, cudaStream_t stream) {
  GPUSIM_ENTER_STREAM(call, stream);
  return copy_symbol(call, "cudaMemcpyFromSymbolAsync", symbol, offset, to, bytes, kind, false, true, stream);
}

}  // extern "C"

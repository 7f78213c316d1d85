// One call that works on a device: the seam between every verb and streams.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon.h"
#include "device_array.h"
#include "run.h"
#include "stream_object.h"

namespace sk::napi {

class DeviceCall {
 public:
  // options: an object whose members are device arrays; call: { cancel, stream }, each of which may be undefined.
  DeviceCall(const Napi::Object& options, const Napi::Value& call) : options_(options) {
    const Napi::Object o = object(call, "call");
    cancel_ = CancelToken::flag_of(o.Get("cancel"));
    stream_ = StreamObject::of(o.Get("stream"));
  }

  // Memory that the work reads; null where the member is undefined.
  const CudaBuffer* optional(const char* name, DType type, int64_t rows, int64_t columns) {
    return find(name, type, rows, columns, CudaAccess::kRead);
  }
  const CudaBuffer* get(const char* name, DType type, int64_t rows, int64_t columns) {
    return given(name, optional(name, type, rows, columns));
  }
  // Memory that the work writes.
  const CudaBuffer* optional_out(const char* name, DType type, int64_t rows, int64_t columns) {
    return find(name, type, rows, columns, CudaAccess::kWrite);
  }
  const CudaBuffer* out(const char* name, DType type, int64_t rows, int64_t columns) {
    return given(name, optional_out(name, type, rows, columns));
  }
  // Anything else on the device that the work uses, with its `uses`.
  template <class T>
  void use(const std::shared_ptr<T>& shared, CudaAccess access) {
    held_.push_back(shared);
    uses_.push_back({&shared->uses, access});
  }

  // Calls work(device), which puts work on the stream, on another thread: a promise of undefined, which does not wait for the device. A
  // share of all memory is held until then; what is freed later is freed behind the work.
  template <class Work>
  Napi::Value queue(Work work) {
    return start({}, false, [device = device(), work = std::move(work)](const void* const*) { return work(device); });
  }
  // Calls work(in), in[i] for inputs[i] of the host, and waits for what it puts on the stream.
  template <class Work>
  Napi::Value finish(Work work, const std::vector<Input>& inputs = {}) {
    return start(inputs, true, std::move(work));
  }
  std::shared_ptr<const CudaDevice> device() const { return options_.Env().GetInstanceData<Addon>()->cuda(options_.Env()); }

 private:
  template <class Work>
  Napi::Value start(const std::vector<Input>& inputs, bool wait, Work work) {
    return run_async(options_.Env(), inputs, {}, cancel_,
                     [stream = stream_, held = held_, uses = uses_, wait, work = std::move(work)](const void* const* in, void* const*,
                                                                                                  const std::atomic<bool>* cancelled) {
                       if (cancelled && cancelled->load(std::memory_order_relaxed)) return Status(Code::kAborted, "the run was aborted");
                       return on_stream(stream, uses, wait, [&] { return work(in); });
                     });
  }
  const CudaBuffer* find(const char* name, DType type, int64_t rows, int64_t columns, CudaAccess access) {
    const Napi::Value value = options_.Get(name);
    if (value.IsUndefined()) return nullptr;
    const auto memory = DeviceArray::memory_of(value, type, rows, columns, name);
    use(memory, access);
    return &memory->buffer;
  }
  const CudaBuffer* given(const char* name, const CudaBuffer* buffer) const {
    if (!buffer) throw type_error(options_.Env(), std::string("expected ") + name);
    return buffer;
  }

  Napi::Object options_;
  CancelFlag cancel_;
  std::shared_ptr<const CudaStream> stream_;
  std::vector<std::shared_ptr<void>> held_;
  std::vector<CudaUse> uses_;
};

// int32 arrays are as large.
constexpr DType kInt32Bytes = DType::kFloat32;

inline DType float_type(const Napi::Value& value, const char* name) { return static_cast<DType>(integer(value, name, 0, 2)); }

}  // namespace sk::napi

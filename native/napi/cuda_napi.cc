#include <cstring>

#include "addon.h"
#include "device_array.h"
#include "device_map_object.h"
#include "run.h"
#include "stream_object.h"
#include "verbs.h"

namespace sk::napi {
namespace {

Status nothing(const void* const*, void* const*, const std::atomic<bool>*) { return Status(); }

}  // namespace

Napi::Function DeviceArray::define(Napi::Env env) {
  return DefineClass(env, "DeviceArray",
                     {InstanceMethod<&DeviceArray::upload>("upload"), InstanceMethod<&DeviceArray::download>("download"),
                      InstanceMethod<&DeviceArray::dispose>("dispose")});
}

DeviceArray::DeviceArray(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceArray>(info) {
  const Napi::Env env = info.Env();
  info.This().As<Napi::Object>().TypeTag(&kTag);
  if (info[0].IsObject()) {
    memory_ = DeviceMapObject::coords_of(info[0]);
    return;
  }
  const auto bytes = static_cast<size_t>(integer(info[0], "bytes", 0, kMaxDimension));
  const auto stream = StreamObject::of(info[1]);
  auto memory = std::make_shared<DeviceMemory>();
  Status status;
  {
    const CudaStreamScope scope(stream);
    status = memory->buffer.reserve(env.GetInstanceData<Addon>()->cuda(env), bytes);
  }
  if (status.ok()) status = note_uses(stream, {{&memory->uses, CudaAccess::kWrite}});  // other streams come after the allocation
  if (!status.ok()) throw to_error(env, status);
  memory_ = std::move(memory);
}

void DeviceArray::Finalize(Napi::BasicEnv) { memory_.reset(); }

const std::shared_ptr<DeviceMemory>& DeviceArray::live(Napi::Env env) const {
  if (!memory_) throw to_error(env, Status(Code::kDisposed, "the device tensor was used after dispose()"));
  return memory_;
}

std::shared_ptr<DeviceMemory> DeviceArray::memory_of(const Napi::Value& value, DType type, int64_t rows, int64_t columns,
                                                     const char* name) {
  const Napi::Env env = value.Env();
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag))
    throw type_error(env, std::string("expected ") + name + " to be a DeviceArray");
  const auto& memory = Unwrap(value.As<Napi::Object>())->live(env);
  int64_t elements, bytes;
  if (!checked_multiply(rows, columns, &elements) || !checked_multiply(elements, static_cast<int64_t>(size_of(type)), &bytes) ||
      static_cast<size_t>(bytes) > memory->buffer.bytes())
    throw to_error(env, Status(Code::kShape, std::string("expected ") + name + " to hold " + std::to_string(rows) + " x " +
                                                 std::to_string(columns) + " elements"));
  return memory;
}

// upload(array, stream | undefined) -> Promise<void>: array is read before the call returns
Napi::Value DeviceArray::upload(const Napi::CallbackInfo& info) {
  const Bytes from = bytes_of(info[0], "data");
  const auto memory = live(info.Env());
  const auto stream = StreamObject::of(info[1]);
  if (from.bytes != memory->buffer.bytes()) throw to_error(info.Env(), Status(Code::kShape, "expected data as large as the device tensor"));
  if (from.bytes == 0) return run_async(info.Env(), {}, {}, nullptr, nothing);
  const auto pinned = std::make_shared<PinnedBuffer>();
  if (Status status = pinned->reserve(memory->buffer.shared_device(), from.bytes); !status.ok()) throw to_error(info.Env(), status);
  std::memcpy(pinned->data(), from.data, from.bytes);
  return run_async(info.Env(), {}, {}, nullptr,
                   [memory, stream, pinned, bytes = from.bytes](const void* const*, void* const*, const std::atomic<bool>*) {
                     return on_stream(stream, {{&memory->uses, CudaAccess::kWrite}}, true,
                                      [&] { return memory->buffer.upload(pinned->data(), bytes); });
                   });
}

// download(array, stream | undefined) -> Promise<void>: JavaScript must not have seen the buffer of `array`
Napi::Value DeviceArray::download(const Napi::CallbackInfo& info) {
  const Bytes to = bytes_of(info[0], "data");
  const auto memory = live(info.Env());
  const auto stream = StreamObject::of(info[1]);
  if (to.bytes != memory->buffer.bytes()) throw to_error(info.Env(), Status(Code::kShape, "expected data as large as the device tensor"));
  if (to.bytes == 0) return run_async(info.Env(), {}, {}, nullptr, nothing);
  return run_async(info.Env(), {}, {{info[0], true}}, nullptr,
                   [memory, stream, bytes = to.bytes](const void* const*, void* const* out, const std::atomic<bool>*) {
                     PinnedBuffer pinned;
                     Status status = pinned.reserve(memory->buffer.shared_device(), bytes);
                     if (!status.ok()) return status;
                     status = on_stream(stream, {{&memory->uses, CudaAccess::kRead}}, true,
                                        [&] { return memory->buffer.download(pinned.data(), bytes); });
                     if (status.ok()) std::memcpy(out[0], pinned.data(), bytes);
                     return status;
                   });
}

namespace {

// cudaDevice() -> { name, multiprocessors, computeCapability, memoryBytes, copies... } or { reason }
Napi::Value cuda_device(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object o = Napi::Object::New(env);
  std::shared_ptr<const CudaDevice> device;
  if (const Status status = env.GetInstanceData<Addon>()->open_cuda(&device); !status.ok()) {
    o.Set("reason", status.message());
    return o;
  }
  const CudaCopies copies = device->copies();
  o.Set("name", device->name());
  o.Set("multiprocessors", device->multiprocessors());
  o.Set("computeCapability", device->compute_capability() / 10.0);
  o.Set("memoryBytes", static_cast<double>(device->memory_bytes()));
  o.Set("uploads", static_cast<double>(copies.uploads));
  o.Set("uploadedBytes", static_cast<double>(copies.uploaded_bytes));
  o.Set("downloads", static_cast<double>(copies.downloads));
  o.Set("downloadedBytes", static_cast<double>(copies.downloaded_bytes));
  return o;
}

}  // namespace

const Verb kCuda = {[](Napi::Env env, Napi::Object exports) {
                      exports.Set("DeviceArray", DeviceArray::define(env));
                      exports.Set("Stream", StreamObject::define(env));
                      exports.Set("cudaDevice", Napi::Function::New<cuda_device>(env, "cudaDevice"));
                    },
                    nullptr};

}  // namespace sk::napi

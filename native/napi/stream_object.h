// A stream as a JavaScript object.
#pragma once

#include <napi.h>

#include <memory>

#include "../cuda/device.h"
#include "addon.h"
#include "run.h"

namespace sk::napi {

class StreamObject : public Napi::ObjectWrap<StreamObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Stream",
                       {InstanceMethod<&StreamObject::synchronize>("synchronize"), InstanceMethod<&StreamObject::dispose>("dispose")});
  }

  // new Stream()
  explicit StreamObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<StreamObject>(info) {
    const Napi::Env env = info.Env();
    info.This().As<Napi::Object>().TypeTag(&kTag);
    (void)env.GetInstanceData<Addon>()->cuda(env);
    if (const Status status = CudaStream::create(&stream_); !status.ok()) throw to_error(env, status);
  }

  // The stream of a Stream, the device's own for undefined; throws for anything else, and after dispose().
  static std::shared_ptr<const CudaStream> of(const Napi::Value& value) {
    const Napi::Env env = value.Env();
    if (value.IsUndefined()) return env.GetInstanceData<Addon>()->cuda(env)->own_stream();
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) throw type_error(env, "expected stream to be a Stream");
    return Unwrap(value.As<Napi::Object>())->live(env);
  }

 private:
  static constexpr napi_type_tag kTag = {0x6d0f43a92c71be58, 0xb3e85d17f9a2064c};

  const std::shared_ptr<const CudaStream>& live(Napi::Env env) const {
    if (!stream_) throw to_error(env, Status(Code::kDisposed, "the stream was used after dispose()"));
    return stream_;
  }

  // synchronize() -> Promise<void>
  Napi::Value synchronize(const Napi::CallbackInfo& info) {
    return run_async(info.Env(), {}, {}, nullptr, [stream = live(info.Env())](const void* const*, void* const*, const std::atomic<bool>*) {
      return stream->synchronize();
    });
  }

  void dispose(const Napi::CallbackInfo&) { stream_.reset(); }  // memory that it used last holds a share, to be freed there

  std::shared_ptr<const CudaStream> stream_;
};

}  // namespace sk::napi

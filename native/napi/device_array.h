// Device memory as a JavaScript object.
#pragma once

#include <napi.h>

#include <memory>

#include "../cuda/device.h"
#include "args.h"

namespace sk::napi {

class DeviceArray : public Napi::ObjectWrap<DeviceArray> {
 public:
  static Napi::Function define(Napi::Env env);
  // new DeviceArray(bytes): not initialised; new DeviceArray(map): the output sites that a DeviceMap found
  explicit DeviceArray(const Napi::CallbackInfo& info);

  // The memory of a DeviceArray that holds at least `elements` of the DType that `type` numbers; a run that uses it holds a share.
  // Throws for anything else, and after dispose().
  static std::shared_ptr<CudaBuffer> buffer_of(const Napi::Value& value, DType type, int64_t rows, int64_t columns, const char* name);

  void Finalize(Napi::BasicEnv env) override;

 private:
  static constexpr napi_type_tag kTag = {0x51c0a7d2f36e4b88, 0x8e2b94d1706fca35};

  Napi::Value upload(const Napi::CallbackInfo& info);
  Napi::Value download(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info) { Finalize(info.Env()); }
  const std::shared_ptr<CudaBuffer>& live(Napi::Env env) const;

  std::shared_ptr<CudaBuffer> buffer_;
};

}  // namespace sk::napi

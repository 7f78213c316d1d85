// Device memory as a JavaScript object.
#pragma once

#include <napi.h>

#include <memory>

#include "../cuda/device.h"
#include "args.h"

namespace sk::napi {

// Memory that several streams may use, freed behind all of them.
struct DeviceMemory {
  CudaBuffer buffer;
  CudaUses uses;

  ~DeviceMemory() {
    const CudaStreamScope scope(uses.last());
    buffer.release();
  }
};

class DeviceArray : public Napi::ObjectWrap<DeviceArray> {
 public:
  static Napi::Function define(Napi::Env env);
  // new DeviceArray(bytes, stream | undefined): not initialised, allocated in the order of the stream
  explicit DeviceArray(const Napi::CallbackInfo& info);

  // The memory of a DeviceArray that holds at least `elements` of the DType that `type` numbers; a run that uses it holds a share.
  // Throws for anything else, and after dispose().
  static std::shared_ptr<DeviceMemory> memory_of(const Napi::Value& value, DType type, int64_t rows, int64_t columns, const char* name);

  void Finalize(Napi::BasicEnv env) override;

 private:
  static constexpr napi_type_tag kTag = {0x51c0a7d2f36e4b88, 0x8e2b94d1706fca35};

  Napi::Value upload(const Napi::CallbackInfo& info);
  Napi::Value download(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info) { Finalize(info.Env()); }
  const std::shared_ptr<DeviceMemory>& live(Napi::Env env) const;

  std::shared_ptr<DeviceMemory> memory_;
};

}  // namespace sk::napi

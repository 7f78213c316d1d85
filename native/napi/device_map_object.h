// A map on a device as a JavaScript object: built there, or brought there from the host with the first run that needs it.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>

#include "../map/cuda/map.h"
#include "device_array.h"
#include "map_object.h"

namespace sk::napi {

class DeviceMapObject : public Napi::ObjectWrap<DeviceMapObject> {
 public:
  // What runs hold a share of.
  struct Shared {
    std::shared_ptr<const Map> host;  // null: built on the device
    std::mutex mutex;
    std::shared_ptr<const CudaMap> there;
    CudaUses uses;
    std::shared_ptr<DeviceMemory> coords = std::make_shared<DeviceMemory>();  // the output sites, where a map on the device found them

    ~Shared() {
      const CudaStreamScope scope(uses.last());
      there.reset();
    }

    // For the stream that the thread works for. One that comes from the host is complete for nobody but the stream that brings it.
    Status get(const std::shared_ptr<const CudaDevice>& device, std::shared_ptr<const CudaMap>* result) {
      const std::lock_guard<std::mutex> lock(mutex);
      Status status;
      if (there) {
        status = uses.order(*device->current_stream(), CudaAccess::kRead);
      } else {
        status = CudaMap::upload(device, host->view(), &there);
        if (status.ok()) status = note_uses(device->current_stream(), {{&uses, CudaAccess::kWrite}});
      }
      *result = there;
      return status;
    }
    int64_t in_rows() const { return host ? host->in_rows() : there->in_rows(); }
    int64_t out_rows() const { return host ? host->out_rows() : there->out_rows(); }
  };

  static Napi::Function define(Napi::Env env);
  explicit DeviceMapObject(const Napi::CallbackInfo& info);

  // The map of a DeviceMap; throws for anything else, before it was built and after dispose().
  static std::shared_ptr<Shared> of(const Napi::Value& value);
  // The output sites of one that found them itself; throws for any other.
  static std::shared_ptr<DeviceMemory> coords_of(const Napi::Value& value);

 private:
  static constexpr napi_type_tag kTag = {0x2be4f1978d0a6c53, 0xa16d83c05be7924f};

  const std::shared_ptr<Shared>& live(Napi::Env env) const;
  // Of a map that was built on the device.
  const std::shared_ptr<Shared>& built(Napi::Env env) const;
  Napi::Value build(const Napi::CallbackInfo& info);
  Napi::Value swap(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value in_rows(const Napi::CallbackInfo& info);
  Napi::Value out_rows(const Napi::CallbackInfo& info);
  Napi::Value pairs(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value read_pairs(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo&) { shared_.reset(); }

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Shared> making_;  // a worker's result, until take()
};

}  // namespace sk::napi

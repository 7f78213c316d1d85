// A map on a device as a JavaScript object: it comes there with the first run that needs it.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>

#include "../mapmm/cuda/plan.h"
#include "map_object.h"

namespace sk::napi {

struct LazyMap {
  std::shared_ptr<const Map> map;
  std::mutex mutex;
  std::shared_ptr<const CudaMap> there;

  Status get(const std::shared_ptr<const CudaDevice>& device, std::shared_ptr<const CudaMap>* result) {
    const std::lock_guard<std::mutex> lock(mutex);
    Status status = there ? Status() : CudaMap::create(device, map->view(), &there);
    *result = there;
    return status;
  }
};

class DeviceMapObject : public Napi::ObjectWrap<DeviceMapObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "DeviceMap", {InstanceMethod<&DeviceMapObject::dispose>("dispose")});
  }

  // new DeviceMap(map)
  explicit DeviceMapObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceMapObject>(info) {
    info.This().As<Napi::Object>().TypeTag(&kTag);
    lazy_->map = MapObject::of(info[0]);
  }

  static std::shared_ptr<LazyMap> of(const Napi::Value& value) {
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) throw type_error(value.Env(), "expected map to be a DeviceMap");
    const auto& lazy = Unwrap(value.As<Napi::Object>())->lazy_;
    if (!lazy) throw to_error(value.Env(), Status(Code::kDisposed, "the map was used after dispose()"));
    return lazy;
  }

 private:
  static constexpr napi_type_tag kTag = {0x2be4f1978d0a6c53, 0xa16d83c05be7924f};
  void dispose(const Napi::CallbackInfo&) { lazy_.reset(); }
  std::shared_ptr<LazyMap> lazy_ = std::make_shared<LazyMap>();
};

}  // namespace sk::napi

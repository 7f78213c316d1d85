// A map as a JavaScript object, and what maps are made from.
#pragma once

#include <napi.h>

#include <memory>

#include "../map/map.h"

namespace sk::napi {

// { batch, inShape, outShape, stride, offsets, outputs, transposed }: all but the sites
MapOptions map_geometry(const Napi::Object& options);

// The tag keeps other objects from being unwrapped as one.
class MapObject : public Napi::ObjectWrap<MapObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit MapObject(const Napi::CallbackInfo& info);

  // The map of a KernelMap; throws for anything else, and after dispose().
  static std::shared_ptr<const Map> of(const Napi::Value& value);

 private:
  static constexpr napi_type_tag kTag = {0x51d07c3ea94b2f68, 0x8e3b6fd2c07a9415};

  const std::shared_ptr<const Map>& live(Napi::Env env) const;
  Napi::Value build(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  void report(Napi::Env env);
  Napi::Value in_rows(const Napi::CallbackInfo& info);
  Napi::Value out_rows(const Napi::CallbackInfo& info);
  Napi::Value pairs(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value read_coords(const Napi::CallbackInfo& info);
  Napi::Value read_pairs(const Napi::CallbackInfo& info);
  Napi::Value count_inputs(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info) { Finalize(info.Env()); }
  void Finalize(Napi::BasicEnv env) override;

  std::shared_ptr<const Map> map_;
  std::shared_ptr<std::shared_ptr<const Map>> building_;  // a worker's result, until take()
  int64_t reported_ = 0;                                  // bytes that the garbage collector was told of
};

}  // namespace sk::napi

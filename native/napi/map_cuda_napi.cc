#include <algorithm>
#include <limits>

#include "cuda_verbs.h"
#include "device_call.h"
#include "device_map_object.h"

namespace sk::napi {
namespace {

// Sites on the device: `coords` of so many `rows`, of the options.
Sites sites_on_device(const Napi::Object& o, DeviceCall* arrays, const char* coords, const char* rows, int axes) {
  const int64_t count = integer(o.Get(rows), rows, 0, std::numeric_limits<int32_t>::max());
  return {arrays->get(coords, kInt32Bytes, count, 1 + axes)->as<int32_t>(), count};
}

// mapWindowsCuda({ map, kind, numbers, coords, windows }, call) -> Promise<void>; windows are WindowAxis, axis after
// axis
Napi::Value map_windows_cuda(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  DeviceCall arrays(o, info[1]);
  const auto map = DeviceMapObject::of(o.Get("map"));
  arrays.use(map, CudaAccess::kRead);
  WindowsRun run = {};
  run.kind = static_cast<WindowNumber>(integer(o.Get("kind"), "kind", 0, 4));
  run.numbers = arrays.out("numbers", DType::kFloat32, map->out_rows(), 1)->as<float>();
  const auto windows = optional_span<int32_t>(o.Get("windows"), "windows");
  if (run.kind == WindowNumber::kLeastOfGrid || run.kind == WindowNumber::kPerCellInside) {
    constexpr int64_t kNumbers = sizeof(WindowAxis) / sizeof(int32_t);
    run.axes = static_cast<int>(std::clamp<int64_t>(windows.length / kNumbers, 1, kMaxAxes));
    expect_length(o.Env(), windows.length, "windows", run.axes, kNumbers);
    for (int a = 0; a < run.axes; ++a) {
      const int32_t* w = windows.data + a * kNumbers;
      if (w[2] < 1) throw to_error(o.Env(), Status(Code::kShape, "expected dilations from 1 on"));
      run.axis[a] = {w[0], w[1], w[2], w[3], w[4]};
    }
    run.coords = arrays.get("coords", kInt32Bytes, map->out_rows(), 1 + run.axes)->as<int32_t>();
  }
  return arrays.queue([run, map](const std::shared_ptr<const CudaDevice>& device) {
    std::shared_ptr<const CudaMap> there;
    if (Status status = map->get(device, &there); !status.ok()) return status;
    WindowsRun whole = run;
    whole.map = there->view();
    return window_numbers_on_cuda(*device, whole);
  });
}

}  // namespace

Napi::Function DeviceMapObject::define(Napi::Env env) {
  return DefineClass(env, "DeviceMap",
                     {InstanceMethod<&DeviceMapObject::build>("build"), InstanceMethod<&DeviceMapObject::swap>("swap"),
                      InstanceMethod<&DeviceMapObject::take>("take"), InstanceAccessor<&DeviceMapObject::in_rows>("inRows"),
                      InstanceAccessor<&DeviceMapObject::out_rows>("outRows"), InstanceAccessor<&DeviceMapObject::pairs>("pairs"),
                      InstanceAccessor<&DeviceMapObject::bytes>("bytes"), InstanceMethod<&DeviceMapObject::read_pairs>("readPairs"),
                      InstanceMethod<&DeviceMapObject::dispose>("dispose")});
}

// new DeviceMap(map): of a KernelMap; new DeviceMap(undefined): one that build() or swap(), and then take(), make
DeviceMapObject::DeviceMapObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceMapObject>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
  if (info[0].IsUndefined()) return;
  shared_ = std::make_shared<Shared>();
  shared_->host = MapObject::of(info[0]);
}

std::shared_ptr<DeviceMapObject::Shared> DeviceMapObject::of(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) throw type_error(value.Env(), "expected map to be a DeviceMap");
  return Unwrap(value.As<Napi::Object>())->live(value.Env());
}

std::shared_ptr<DeviceMemory> DeviceMapObject::coords_of(const Napi::Value& value) {
  const auto map = of(value);
  if (!map->host && map->there->out_coords()) return map->coords;
  throw type_error(value.Env(), "expected a DeviceMap that found its output sites");
}

const std::shared_ptr<DeviceMapObject::Shared>& DeviceMapObject::live(Napi::Env env) const {
  if (!shared_) throw to_error(env, Status(Code::kDisposed, "the map was used after dispose(), or before take()"));
  return shared_;
}

const std::shared_ptr<DeviceMapObject::Shared>& DeviceMapObject::built(Napi::Env env) const {
  const auto& shared = live(env);
  if (shared->host) throw type_error(env, "expected a DeviceMap that was built on the device");
  return shared;
}

// build({ coords, rows, outCoords, outRows, .. }, call) -> Promise<void>: the arrays are DeviceArrays, the rest is as
// for KernelMap. The map is there after take().
Napi::Value DeviceMapObject::build(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  DeviceCall arrays(o, info[1]);
  MapOptions options = map_geometry(o);
  const int axes = options.in_grid.axes;
  options.in = sites_on_device(o, &arrays, "coords", "rows", axes);
  if (options.outputs == MapOutputs::kGiven) options.out = sites_on_device(o, &arrays, "outCoords", "outRows", axes);
  const std::vector<int32_t> offsets(options.offsets, options.offsets + options.groups * axes);
  making_ = std::make_shared<Shared>();
  arrays.use(making_, CudaAccess::kWrite);
  arrays.use(making_->coords, CudaAccess::kWrite);
  return arrays.queue([options, offsets, map = making_](const std::shared_ptr<const CudaDevice>& device) {
    MapOptions own = options;
    own.offsets = offsets.data();
    const Status status = CudaMap::build(device, own, &map->there);
    if (status.ok() && map->there->out_coords()) map->coords->buffer = std::move(*map->there->out_coords());
    return status;
  });
}

// swap(map, call) -> Promise<void>: the pairs of a DeviceMap that was built on the device, in and out exchanged
Napi::Value DeviceMapObject::swap(const Napi::CallbackInfo& info) {
  of(info[0]);
  const auto of_map = Unwrap(info[0].As<Napi::Object>())->built(info.Env());
  making_ = std::make_shared<Shared>();
  DeviceCall call(info[0].As<Napi::Object>(), info[1]);
  call.use(of_map, CudaAccess::kRead);
  call.use(making_, CudaAccess::kWrite);
  return call.queue([of_map, map = making_](const std::shared_ptr<const CudaDevice>&) { return of_map->there->swapped(&map->there); });
}

// take(): makes this the map that build() or swap() has made
Napi::Value DeviceMapObject::take(const Napi::CallbackInfo& info) {
  if (!making_ || !making_->there || shared_) throw type_error(info.Env(), "expected take() after build() or swap() has ended");
  shared_ = std::move(making_);
  making_.reset();
  return info.Env().Undefined();
}

Napi::Value DeviceMapObject::in_rows(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->in_rows()));
}

Napi::Value DeviceMapObject::out_rows(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->out_rows()));
}

Napi::Value DeviceMapObject::pairs(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(built(info.Env())->there->pairs()));
}

Napi::Value DeviceMapObject::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(built(info.Env())->there->bytes()));
}

// readPairs(starts [groups + 1], in [pairs], out [pairs], stream | undefined) -> Promise<void>; JavaScript must not have seen the buffers
Napi::Value DeviceMapObject::read_pairs(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto shared = built(env);
  const auto& map = shared->there;
  const auto stream = StreamObject::of(info[3]);
  if (map->pairs() > std::numeric_limits<int32_t>::max())
    throw to_error(env, Status(Code::kMemory, "expected less than 2^31 pairs to read"));
  expect_length(env, span<int32_t>(info[0], "starts").length, "starts", 1, map->groups() + 1);
  expect_length(env, span<int32_t>(info[1], "in").length, "in", 1, map->pairs());
  expect_length(env, span<int32_t>(info[2], "out").length, "out", 1, map->pairs());
  return run_async(env, {}, {{info[0], true}, {info[1], true}, {info[2], true}}, nullptr,
                   [shared, stream](const void* const*, void* const* out, const std::atomic<bool>*) {
                     return on_stream(stream, {{&shared->uses, CudaAccess::kRead}}, true, [&] {
                       return shared->there->read_pairs(static_cast<int32_t*>(out[0]), static_cast<int32_t*>(out[1]),
                                                        static_cast<int32_t*>(out[2]));
                     });
                   });
}

void define_map_cuda(Napi::Env env, Napi::Object exports) {
  exports.Set("DeviceMap", DeviceMapObject::define(env));
  exports.Set("mapWindowsCuda", Napi::Function::New(env, map_windows_cuda, "mapWindowsCuda"));
}

}  // namespace sk::napi

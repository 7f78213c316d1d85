#include "device_call.h"
#include "device_map_object.h"
#include "mapmm_napi.h"
#include "plan_object.h"

namespace sk::napi {
namespace {

class MapmmCudaPlanObject : public PlanObject<MapmmCudaPlanObject, MapmmCudaPlan> {
 public:
  static Napi::Function define(Napi::Env env) {
    return define_class(env, "MapmmCudaPlan", {InstanceMethod<&MapmmCudaPlanObject::run>("run")});
  }

  // new MapmmCudaPlan(options, values): options of MapmmPlan, the DType to store the weight as
  explicit MapmmCudaPlanObject(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    const auto values = static_cast<DType>(integer(info[1], "values", 0, 3));
    std::shared_ptr<const MapmmCudaPlan> plan;
    const Status status = MapmmCudaPlan::create(env.GetInstanceData<Addon>()->cuda(env), mapmm_options(info[0]), values, &plan);
    if (!status.ok()) throw to_error(env, status);
    adopt(env, std::move(plan));
  }

 private:
  // run({ map, x, xType, y, yType }, call) -> Promise<void>; map is a DeviceMap, x and y are DeviceArrays
  Napi::Value run(const Napi::CallbackInfo& info) {
    const auto plan = live(info.Env());
    const Napi::Object o = object(info[0], "options");
    DeviceCall call(o, info[1]);
    const auto map = DeviceMapObject::of(o.Get("map"));
    call.use(map, CudaAccess::kRead);
    const DType x_type = float_type(o.Get("xType"), "x type"), y_type = float_type(o.Get("yType"), "y type");
    const CudaBuffer* x = call.get("x", x_type, map->in_rows(), plan->in_channels());
    const CudaBuffer* y = call.out("y", y_type, map->out_rows(), plan->out_channels());
    return call.finish([plan, map, x, x_type, y, y_type](const void* const*) {
      std::shared_ptr<const CudaMap> there;
      const Status status = map->get(plan->device(), &there);
      return status.ok() ? plan->run(there->view(), *x, x_type, *y, y_type) : status;
    });
  }
};

}  // namespace

void define_mapmm_cuda(Napi::Env env, Napi::Object exports) { exports.Set("MapmmCudaPlan", MapmmCudaPlanObject::define(env)); }

}  // namespace sk::napi

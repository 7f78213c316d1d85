#include "addon.h"
#include "device_array.h"
#include "device_map_object.h"
#include "mapmm_napi.h"
#include "plan_object.h"
#include "run.h"

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
  // run(map, x, xType, y, yType, cancelToken | undefined) -> Promise<void>; map is a DeviceMap, x and y are DeviceArrays
  Napi::Value run(const Napi::CallbackInfo& info) {
    const auto plan = live(info.Env());
    const auto map = DeviceMapObject::of(info[0]);
    const auto x_type = static_cast<DType>(integer(info[2], "x type", 0, 2)), y_type = static_cast<DType>(integer(info[4], "y type", 0, 2));
    const auto x = DeviceArray::buffer_of(info[1], x_type, map->in_rows(), plan->in_channels(), "x");
    const auto y = DeviceArray::buffer_of(info[3], y_type, map->out_rows(), plan->out_channels(), "out");
    return run_async(info.Env(), {}, {}, CancelToken::flag_of(info[5]),
                     [plan, map, x, x_type, y, y_type](const void* const*, void* const*, const std::atomic<bool>* cancel) {
                       if (cancel && cancel->load(std::memory_order_relaxed)) return Status(Code::kAborted, "the run was aborted");
                       std::shared_ptr<const CudaMap> there;
                       Status status = map->get(plan->device(), &there);
                       if (status.ok()) status = plan->run(there->view(), *x, x_type, *y, y_type);
                       return status.ok() ? plan->device()->synchronize() : status;
                     });
  }
};

}  // namespace

void define_mapmm_cuda(Napi::Env env, Napi::Object exports) { exports.Set("MapmmCudaPlan", MapmmCudaPlanObject::define(env)); }

}  // namespace sk::napi

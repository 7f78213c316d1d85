#include "../mapreduce/cuda/mapreduce.h"
#include "cuda_verbs.h"
#include "device_call.h"
#include "device_map_object.h"

namespace sk::napi {
namespace {

// mapReduceCuda({ map, x, y, type, channels, row, max }, call) -> Promise<void>; map is a DeviceMap, the arrays are
// DeviceArrays
Napi::Value map_reduce_cuda(const Napi::CallbackInfo& info) {
  const Napi::Object o = object(info[0], "options");
  DeviceCall arrays(o, info[1]);
  const auto map = DeviceMapObject::of(o.Get("map"));
  arrays.use(map, CudaAccess::kRead);
  MapReduceCudaRun run = {};
  run.max = o.Get("max").ToBoolean();
  run.type = float_type(o.Get("type"), "type");
  run.channels = integer(o.Get("channels"), "channels", 1, int64_t{1} << 31);
  run.x = arrays.get("x", run.type, map->in_rows(), run.channels)->as<void>();
  run.y = arrays.out("y", run.type, map->out_rows(), run.channels)->as<void>();
  const CudaBuffer* row =
      run.max ? arrays.get("row", DType::kFloat32, map->out_rows(), 1) : arrays.optional("row", DType::kFloat32, map->out_rows(), 1);
  run.row = row ? row->as<float>() : nullptr;
  return arrays.queue([run, map](const std::shared_ptr<const CudaDevice>& device) {
    std::shared_ptr<const CudaMap> there;
    if (Status status = map->get(device, &there); !status.ok()) return status;
    MapReduceCudaRun whole = run;
    whole.map = there->view();
    return map_reduce_on_cuda(*device, whole);
  });
}

}  // namespace

void define_mapreduce_cuda(Napi::Env env, Napi::Object exports) {
  exports.Set("mapReduceCuda", Napi::Function::New(env, map_reduce_cuda, "mapReduceCuda"));
}

}  // namespace sk::napi

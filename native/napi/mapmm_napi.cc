#include "mapmm_napi.h"

#include "args.h"
#include "map_object.h"
#include "plan_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

constexpr int64_t kMaxChannels = int64_t{1} << 20;

}  // namespace

MapmmOptions mapmm_options(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  const Napi::Object o = object(value, "options");
  MapmmOptions options;
  options.groups = integer(o.Get("groups"), "groups", 1, int64_t{1} << 20);
  options.in = integer(o.Get("in"), "in", 1, kMaxChannels);
  options.out = integer(o.Get("out"), "out", 1, kMaxChannels);
  options.splits = integer(o.Get("splits"), "splits", 1, kMaxChannels);
  const auto weight = span<float>(o.Get("weight"), "weight");
  expect_length(env, weight.length, "weight", options.splits * options.out * options.groups, options.in);
  options.weight = weight.data;
  options.transposed = o.Get("transposed").ToBoolean();
  const auto bias = optional_span<float>(o.Get("bias"), "bias");
  if (bias.data != nullptr) expect_length(env, bias.length, "bias", options.splits, options.out);
  options.bias = bias.data;
  options.activation = static_cast<MapActivation>(integer(o.Get("activation"), "activation", 0, 1));
  options.isa = text(o.Get("isa"), "isa");
  options.threads = static_cast<int>(integer(o.Get("threads"), "threads", 0, 1024));
  return options;
}

namespace {

class MapmmPlanObject : public PlanObject<MapmmPlanObject, MapmmPlan> {
 public:
  static Napi::Function define(Napi::Env env) {
    return define_class(env, "MapmmPlan",
                        {InstanceMethod<&MapmmPlanObject::run>("run"), InstanceMethod<&MapmmPlanObject::run_sync>("runSync"),
                         InstanceMethod<&MapmmPlanObject::gathers_tiles>("gathersTiles")});
  }

  // new MapmmPlan({ weight, transposed, groups, in, out, splits, bias, activation, isa, threads })
  explicit MapmmPlanObject(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    std::shared_ptr<const MapmmPlan> plan;
    if (const Status status = MapmmPlan::create(mapmm_options(info[0]), &plan); !status.ok()) throw to_error(env, status);
    adopt(env, std::move(plan));
  }

 private:
  struct Operands {
    std::shared_ptr<const Map> map;
    Span<float> x, y;
  };

  Operands operands(const Napi::CallbackInfo& info) const {
    const Operands o = {MapObject::of(info[0]), span<float>(info[1], "x"), span<float>(info[2], "out")};
    expect_length(info.Env(), o.x.length, "x", o.map->in_rows(), live(info.Env())->in_channels());
    expect_length(info.Env(), o.y.length, "out", o.map->out_rows(), live(info.Env())->out_channels());
    return o;
  }

  // run(map, x, y, privateX, privateY, cancelToken | undefined) -> Promise<void>
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Operands o = operands(info);
    const Input x = {o.x.data, static_cast<size_t>(o.x.length) * sizeof(float), info[3].ToBoolean() ? info[1] : Napi::Value()};
    return run_async(info.Env(), {x}, {{info[2], info[4].ToBoolean()}}, CancelToken::flag_of(info[5]),
                     [plan = live(info.Env()), map = o.map](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                       return plan->run(map->view(), static_cast<const float*>(in[0]), static_cast<float*>(out[0]), cancel);
                     });
  }

  // gathersTiles(map)
  Napi::Value gathers_tiles(const Napi::CallbackInfo& info) {
    const auto map = MapObject::of(info[0]);
    const auto& plan = live(info.Env());
    return Napi::Boolean::New(info.Env(), map->groups() == plan->groups() && plan->gathers_tiles(map->view()));
  }

  // runSync(map, x, y)
  Napi::Value run_sync(const Napi::CallbackInfo& info) {
    const Operands o = operands(info);
    if (const Status status = live(info.Env())->run(o.map->view(), o.x.data, o.y.data, nullptr); !status.ok())
      throw to_error(info.Env(), status);
    return info.Env().Undefined();
  }
};

std::vector<KernelRow> rows() {
  std::vector<KernelRow> rows = mapmm_kernels();
  for (KernelRow& row : mapmm_cuda_kernels()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace

const Verb kMapmm = {[](Napi::Env env, Napi::Object exports) {
                       exports.Set("MapmmPlan", MapmmPlanObject::define(env));
                       define_mapmm_cuda(env, exports);
                     },
                     &rows};

}  // namespace sk::napi

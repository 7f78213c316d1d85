#include "../planes/planes.h"
#include "args.h"
#include "plan_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

class PlanesPlanObject : public PlanObject<PlanesPlanObject, PlanesPlan> {
 public:
  static Napi::Function define(Napi::Env env) {
    return define_class(env, "PlanesPlan",
                        {InstanceMethod<&PlanesPlanObject::run>("run"), InstanceMethod<&PlanesPlanObject::run_sync>("runSync"),
                         InstanceAccessor<&PlanesPlanObject::kept>("kept")});
  }

  // new PlanesPlan({ weight, in, out, block, bias, activation, isa, threads })
  explicit PlanesPlanObject(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    const Napi::Object o = object(info[0], "options");
    PlanesOptions options;
    options.in = integer(o.Get("in"), "in", 1, kMaxDimension);
    options.out = integer(o.Get("out"), "out", 1, kMaxDimension);
    const auto weight = span<float>(o.Get("weight"), "weight");
    expect_length(env, weight.length, "weight", options.out, options.in);
    options.weight = weight.data;
    options.block = static_cast<int>(integer(o.Get("block"), "block", 1, 4));
    const auto bias = optional_span<float>(o.Get("bias"), "bias");
    if (bias.data != nullptr) expect_length(env, bias.length, "bias", 1, options.out);
    options.bias = bias.data;
    options.activation = static_cast<PlanesActivation>(integer(o.Get("activation"), "activation", 0, 2));
    options.isa = text(o.Get("isa"), "isa");
    options.threads = static_cast<int>(integer(o.Get("threads"), "threads", 0, 1024));
    std::shared_ptr<const PlanesPlan> plan;
    if (const Status status = PlanesPlan::create(options, &plan); !status.ok()) throw to_error(env, status);
    adopt(env, std::move(plan));
  }

  Napi::Value kept(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->kept())); }

 private:
  struct Operands {
    Span<float> x, y;
    int64_t images, pixels;
  };

  // (x, images, pixels, y, ...)
  Operands operands(const Napi::CallbackInfo& info) const {
    const Operands o = {span<float>(info[0], "x"), span<float>(info[3], "out"), integer(info[1], "images", 0, kMaxDimension),
                        integer(info[2], "pixels", 0, kMaxDimension)};
    int64_t planes;
    if (!checked_multiply(o.images, live(info.Env())->in(), &planes)) planes = -1;
    expect_length(info.Env(), o.x.length, "x", planes, o.pixels);
    if (!checked_multiply(o.images, live(info.Env())->out(), &planes)) planes = -1;
    expect_length(info.Env(), o.y.length, "out", planes, o.pixels);
    return o;
  }

  // run(x, images, pixels, y, privateX, privateY, cancelToken | undefined) -> Promise<void>
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Operands o = operands(info);
    const Input x = {o.x.data, static_cast<size_t>(o.x.length) * sizeof(float), info[4].ToBoolean() ? info[0] : Napi::Value()};
    return run_async(info.Env(), {x}, {{info[3], info[5].ToBoolean()}}, CancelToken::flag_of(info[6]),
                     [plan = live(info.Env()), images = o.images, pixels = o.pixels](const void* const* in, void* const* out,
                                                                                     const std::atomic<bool>* cancel) {
                       return plan->run(static_cast<const float*>(in[0]), images, pixels, static_cast<float*>(out[0]), cancel);
                     });
  }

  // runSync(x, images, pixels, y)
  Napi::Value run_sync(const Napi::CallbackInfo& info) {
    const Operands o = operands(info);
    if (const Status status = live(info.Env())->run(o.x.data, o.images, o.pixels, o.y.data, nullptr); !status.ok())
      throw to_error(info.Env(), status);
    return info.Env().Undefined();
  }
};

}  // namespace

const Verb kPlanes = {[](Napi::Env env, Napi::Object exports) { exports.Set("PlanesPlan", PlanesPlanObject::define(env)); },
                      &planes_kernels};

}  // namespace sk::napi

#include "../spmm/spmm.h"
#include "args.h"
#include "plan_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

class SpmmPlanObject : public PlanObject<SpmmPlanObject, SpmmPlan> {
 public:
  static Napi::Function define(Napi::Env env) {
    return define_class(env, "SpmmPlan",
                        {InstanceMethod<&SpmmPlanObject::run>("run"), InstanceMethod<&SpmmPlanObject::run_sync>("runSync"),
                         InstanceMethod<&SpmmPlanObject::to_dense>("toDense")});
  }

  // new SpmmPlan({ weight, out, in, n, m, bias, activation, isa, tokens, threads })
  explicit SpmmPlanObject(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    const Napi::Object o = object(info[0], "options");
    SpmmOptions options;
    const auto weight = span<float>(o.Get("weight"), "weight");
    options.weight = {weight.data, integer(o.Get("out"), "out", 1, kMaxDimension), integer(o.Get("in"), "in", 1, kMaxDimension)};
    expect_length(env, weight.length, "weight", options.weight.rows, options.weight.columns);
    const auto bias = optional_span<float>(o.Get("bias"), "bias");
    if (bias.data != nullptr) expect_length(env, bias.length, "bias", 1, options.weight.rows);
    options.bias = bias.data;
    options.n = static_cast<int>(integer(o.Get("n"), "n", 0, 64));
    options.m = static_cast<int>(integer(o.Get("m"), "m", 0, 64));
    options.activation = static_cast<Activation>(integer(o.Get("activation"), "activation", 0, 1));
    options.isa = text(o.Get("isa"), "isa");
    options.tokens = integer(o.Get("tokens"), "tokens", 1, kMaxDimension);
    options.threads = static_cast<int>(integer(o.Get("threads"), "threads", 0, 1024));
    std::shared_ptr<const SpmmPlan> plan;
    if (const Status status = SpmmPlan::create(options, &plan); !status.ok()) throw to_error(env, status);
    adopt(env, std::move(plan));
  }

 private:
  struct Operands {
    Span<float> x, y;
    int64_t tokens;
  };

  Operands operands(const Napi::CallbackInfo& info) const {
    const Operands o = {span<float>(info[0], "x"), span<float>(info[2], "out"), integer(info[1], "tokens", 0, kMaxDimension)};
    expect_length(info.Env(), o.x.length, "x", o.tokens, live(info.Env())->in());
    expect_length(info.Env(), o.y.length, "out", o.tokens, live(info.Env())->out());
    return o;
  }

  // run(x, tokens, y, privateY, cancelToken | undefined) -> Promise<void>
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Operands o = operands(info);
    const size_t x_bytes = static_cast<size_t>(o.x.length) * sizeof(float);
    return run_async(
        info.Env(), {{o.x.data, x_bytes}}, {{info[2], info[3].ToBoolean()}}, CancelToken::flag_of(info[4]),
        [plan = live(info.Env()), tokens = o.tokens](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
          return plan->run(static_cast<const float*>(in[0]), tokens, static_cast<float*>(out[0]), cancel);
        });
  }

  // runSync(x, tokens, y)
  Napi::Value run_sync(const Napi::CallbackInfo& info) {
    const Operands o = operands(info);
    if (const Status status = live(info.Env())->run(o.x.data, o.tokens, o.y.data, nullptr); !status.ok())
      throw to_error(info.Env(), status);
    return info.Env().Undefined();
  }

  // toDense(dense)
  Napi::Value to_dense(const Napi::CallbackInfo& info) {
    const auto& plan = live(info.Env());
    const auto dense = span<float>(info[0], "dense");
    expect_length(info.Env(), dense.length, "dense", plan->out(), plan->in());
    plan->to_dense(dense.data);
    return info.Env().Undefined();
  }
};

}  // namespace

const Verb kSpmm = {[](Napi::Env env, Napi::Object exports) { exports.Set("SpmmPlan", SpmmPlanObject::define(env)); }, &spmm_kernels};

}  // namespace sk::napi

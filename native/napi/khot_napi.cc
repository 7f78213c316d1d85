#include "../khot/khot.h"
#include "args.h"
#include "plan_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {
namespace {

class KHotPlanObject : public PlanObject<KHotPlanObject, KHotPlan> {
 public:
  static Napi::Function define(Napi::Env env) {
    return define_class(env, "KHotPlan",
                        {InstanceMethod<&KHotPlanObject::run>("run"), InstanceMethod<&KHotPlanObject::run_sync>("runSync")});
  }

  // new KHotPlan({ weight, type, values, out, in, bias, isa, threads })
  explicit KHotPlanObject(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    const Napi::Object o = object(info[0], "options");
    KHotOptions options;
    const Elements weight = elements(o.Get("weight"), o.Get("type"), "weight");
    options.weight = {weight.data, weight.type, integer(o.Get("out"), "out", 1, kMaxDimension),
                      integer(o.Get("in"), "in", 1, kMaxDimension)};
    expect_length(env, weight.length, "weight", options.weight.rows, options.weight.columns);
    options.values = static_cast<DType>(integer(o.Get("values"), "values", 0, 2));
    const auto bias = optional_span<float>(o.Get("bias"), "bias");
    if (bias.data != nullptr) expect_length(env, bias.length, "bias", options.weight.rows, 1);
    options.bias = bias.data;
    options.isa = text(o.Get("isa"), "isa");
    options.threads = static_cast<int>(integer(o.Get("threads"), "threads", 0, 1024));
    std::shared_ptr<const KHotPlan> plan;
    if (const Status status = KHotPlan::create(options, &plan); !status.ok()) throw to_error(env, status);
    adopt(env, std::move(plan));
  }

 private:
  struct Operands {
    Span<float> values, y;  // values of lists, or all of x
    Span<int32_t> inputs, offsets;
    int64_t tokens;

    Status run(const KHotPlan& plan, const void* const* in, void* out, const std::atomic<bool>* cancel) const {
      const auto* from = static_cast<const float*>(in[0]);
      if (offsets.data == nullptr) return plan.run(from, tokens, static_cast<float*>(out), cancel);
      const KHotLists lists = {tokens, static_cast<const int32_t*>(in[2]), static_cast<const int32_t*>(in[1]), from, inputs.length};
      return plan.run(lists, static_cast<float*>(out), cancel);
    }
  };

  // (values, tokens, y, indices, offsets, ...); (x, tokens, y, undefined, undefined, ...)
  Operands operands(const Napi::CallbackInfo& info) const {
    const Operands o = {span<float>(info[0], "values"), span<float>(info[2], "out"), optional_span<int32_t>(info[3], "indices"),
                        optional_span<int32_t>(info[4], "offsets"), integer(info[1], "tokens", 0, kMaxDimension)};
    expect_length(info.Env(), o.y.length, "out", o.tokens, live(info.Env())->out());
    if (info[4].IsUndefined()) {
      expect_length(info.Env(), o.values.length, "x", o.tokens, live(info.Env())->in());
    } else {
      expect_length(info.Env(), o.values.length, "values", o.inputs.length, 1);
      expect_length(info.Env(), o.offsets.length, "offsets", o.tokens + 1, 1);
    }
    return o;
  }

  // run(values, tokens, y, indices | undefined, offsets | undefined, privateY, cancelToken | undefined) -> Promise<void>
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Operands o = operands(info);
    const auto bytes = [](int64_t length) { return static_cast<size_t>(length) * 4; };
    return run_async(
        info.Env(),
        {{o.values.data, bytes(o.values.length)}, {o.inputs.data, bytes(o.inputs.length)}, {o.offsets.data, bytes(o.offsets.length)}},
        {{info[2], info[5].ToBoolean()}}, CancelToken::flag_of(info[6]),
        [plan = live(info.Env()), o](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
          return o.run(*plan, in, out[0], cancel);
        });
  }

  // runSync(values, tokens, y, indices | undefined, offsets | undefined)
  Napi::Value run_sync(const Napi::CallbackInfo& info) {
    const Operands o = operands(info);
    const void* const in[] = {o.values.data, o.inputs.data, o.offsets.data};
    if (const Status status = o.run(*live(info.Env()), in, o.y.data, nullptr); !status.ok()) throw to_error(info.Env(), status);
    return info.Env().Undefined();
  }
};

}  // namespace

const Verb kKhot = {[](Napi::Env env, Napi::Object exports) { exports.Set("KHotPlan", KHotPlanObject::define(env)); }, &khot_kernels};

}  // namespace sk::napi

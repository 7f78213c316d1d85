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
                        {InstanceMethod<&KHotPlanObject::run>("run"), InstanceMethod<&KHotPlanObject::run_sync>("runSync"),
                         InstanceMethod<&KHotPlanObject::to_dense>("toDense")});
  }

  // new KHotPlan({ weight, type, values, out, in, bias, activation, isa, threads })
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
    options.activation = static_cast<Activation>(integer(o.Get("activation"), "activation", 0, 4));
    options.isa = text(o.Get("isa"), "isa");
    options.threads = static_cast<int>(integer(o.Get("threads"), "threads", 0, 1024));
    std::shared_ptr<const KHotPlan> plan;
    if (const Status status = KHotPlan::create(options, &plan); !status.ok()) throw to_error(env, status);
    adopt(env, std::move(plan));
  }

 private:
  struct Operands {
    Elements values, y;  // values of lists, or all of x
    Span<int32_t> inputs, offsets;
    const void* residual;  // null: none
    int64_t tokens;

    Status run(const KHotPlan& plan, const void* const* in, void* out, const std::atomic<bool>* cancel) const {
      const KHotOutput output = {out, y.type, in[3]};
      if (offsets.data == nullptr) return plan.run(in[0], values.type, tokens, output, cancel);
      return plan.run(
          {tokens, static_cast<const int32_t*>(in[2]), static_cast<const int32_t*>(in[1]), static_cast<const float*>(in[0]), inputs.length},
          output, cancel);
    }
  };

  // (values, type, tokens, y, yType, indices, offsets, ...); (x, type, tokens, y, yType, undefined, undefined, ...)
  Operands operands(const Napi::CallbackInfo& info, const Napi::Value& residual_value) const {
    const Napi::Env env = info.Env();
    Operands o = {elements(info[0], info[1], "values"),
                  elements(info[3], info[4], "out"),
                  optional_span<int32_t>(info[5], "indices"),
                  optional_span<int32_t>(info[6], "offsets"),
                  nullptr,
                  integer(info[2], "tokens", 0, kMaxDimension)};
    const int64_t out = live(env)->out();
    if (o.values.type > DType::kBFloat16 || o.y.type > DType::kBFloat16)
      throw type_error(env, "expected x and out of a floating-point type");
    expect_length(env, o.y.length, "out", o.tokens, out);
    if (info[6].IsUndefined()) {
      expect_length(env, o.values.length, "x", o.tokens, live(env)->in());
    } else {
      if (o.values.type != DType::kFloat32) throw type_error(env, "expected values of float32");
      expect_length(env, o.values.length, "values", o.inputs.length, 1);
      expect_length(env, o.offsets.length, "offsets", o.tokens + 1, 1);
    }
    if (!residual_value.IsUndefined()) {
      const Elements residual = elements(residual_value, info[4], "residual");
      expect_length(env, residual.length, "residual", o.tokens, out);
      o.residual = residual.data;
    }
    return o;
  }

  // run(values, type, tokens, y, yType, indices | undefined, offsets | undefined, privateY, cancelToken | undefined, residual | undefined)
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Operands o = operands(info, info[9]);
    const auto bytes = [](int64_t length, size_t each) { return static_cast<size_t>(length) * each; };
    return run_async(info.Env(),
                     {{o.values.data, bytes(o.values.length, size_of(o.values.type))},
                      {o.inputs.data, bytes(o.inputs.length, 4)},
                      {o.offsets.data, bytes(o.offsets.length, 4)},
                      {o.residual, o.residual ? bytes(o.y.length, size_of(o.y.type)) : 0}},
                     {{info[3], info[7].ToBoolean()}}, CancelToken::flag_of(info[8]),
                     [plan = live(info.Env()), o](const void* const* in, void* const* out, const std::atomic<bool>* cancel) {
                       return o.run(*plan, in, out[0], cancel);
                     });
  }

  // runSync(values, type, tokens, y, yType, indices | undefined, offsets | undefined, residual | undefined)
  Napi::Value run_sync(const Napi::CallbackInfo& info) {
    const Operands o = operands(info, info[7]);
    const void* const in[] = {o.values.data, o.inputs.data, o.offsets.data, o.residual};
    if (const Status status = o.run(*live(info.Env()), in, o.y.data, nullptr); !status.ok()) throw to_error(info.Env(), status);
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

const Verb kKhot = {[](Napi::Env env, Napi::Object exports) { exports.Set("KHotPlan", KHotPlanObject::define(env)); }, &khot_kernels};

}  // namespace sk::napi

#include "spmm_napi.h"

#include "addon.h"
#include "args.h"
#include "plan_object.h"
#include "run.h"
#include "verbs.h"

namespace sk::napi {

SpmmOptions spmm_options(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  const Napi::Object o = object(value, "options");
  SpmmOptions options;
  const Elements weight = elements(o.Get("weight"), o.Get("type"), "weight");
  options.weight = {weight.data, weight.type, integer(o.Get("out"), "out", 1, kMaxDimension), integer(o.Get("in"), "in", 1, kMaxDimension)};
  expect_length(env, weight.length, "weight", options.weight.rows, options.weight.columns);
  options.values = static_cast<DType>(integer(o.Get("values"), "values", 0, 4));
  if (!o.Get("group").IsUndefined()) options.group = integer(o.Get("group"), "group", 0, 128);
  options.zero_point = o.Get("zeroPoint").ToBoolean();
  const int64_t scales = options.group > 0 ? ceil_div(options.weight.columns, options.group) : 1;  // of a row
  const auto vector = [&](const char* name, int64_t of_row = 1) {
    const auto values = optional_span<float>(o.Get(name), name);
    if (values.data != nullptr) expect_length(env, values.length, name, options.weight.rows, of_row);
    return values.data;
  };
  options.scale = vector("scale", scales);
  options.bias = vector("bias");
  if (!o.Get("gate").IsUndefined()) {
    const Elements gate = elements(o.Get("gate"), o.Get("type"), "gate");
    expect_length(env, gate.length, "gate", options.weight.rows, options.weight.columns);
    options.gate = gate.data;
  }
  options.gate_scale = vector("gateScale", scales);
  options.gate_bias = vector("gateBias");
  options.n = static_cast<int>(integer(o.Get("n"), "n", 0, 256));
  options.m = static_cast<int>(integer(o.Get("m"), "m", 0, 256));
  if (!o.Get("rows").IsUndefined()) options.rows = integer(o.Get("rows"), "rows", 1, kMaxDimension);
  options.venom = o.Get("venom").ToBoolean();
  options.int8_activations = o.Get("int8Activations").ToBoolean();
  options.allow_tf32 = o.Get("allowTf32").ToBoolean();
  options.activation = static_cast<Activation>(integer(o.Get("activation"), "activation", 0, 4));
  options.isa = text(o.Get("isa"), "isa");
  options.tokens = integer(o.Get("tokens"), "tokens", 1, kMaxDimension);
  options.threads = static_cast<int>(integer(o.Get("threads"), "threads", 0, 1024));
  return options;
}

namespace {

class SpmmPlanObject : public PlanObject<SpmmPlanObject, SpmmPlan> {
 public:
  static Napi::Function define(Napi::Env env) {
    return define_class(env, "SpmmPlan",
                        {InstanceMethod<&SpmmPlanObject::run>("run"), InstanceMethod<&SpmmPlanObject::run_sync>("runSync"),
                         InstanceMethod<&SpmmPlanObject::to_dense>("toDense"), InstanceMethod<&SpmmPlanObject::scales>("scales")});
  }

  // new SpmmPlan({ weight, type, values, scale, out, in, n, m, bias, gate, gateScale, gateBias, group, zeroPoint, activation, isa, tokens,
  // threads })
  explicit SpmmPlanObject(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    std::shared_ptr<const SpmmPlan> plan;
    if (const Status status = SpmmPlan::create(spmm_options(info[0]), &plan); !status.ok()) throw to_error(env, status);
    adopt(env, std::move(plan));
  }

 private:
  struct Operands {
    Elements x, y;
    const void* residual;  // null: none
    int64_t tokens;
  };

  // (x, xType, tokens, y, yType, ...), and a residual of yType or undefined
  Operands operands(const Napi::CallbackInfo& info, const Napi::Value& residual_value) const {
    Operands o = {elements(info[0], info[1], "x"), elements(info[3], info[4], "out"), nullptr,
                  integer(info[2], "tokens", 0, kMaxDimension)};
    if (o.x.type == DType::kInt8 || o.y.type == DType::kInt8) throw type_error(info.Env(), "expected x and out of a floating-point type");
    expect_length(info.Env(), o.x.length, "x", o.tokens, live(info.Env())->in());
    expect_length(info.Env(), o.y.length, "out", o.tokens, live(info.Env())->out());
    if (!residual_value.IsUndefined()) {
      const Elements residual = elements(residual_value, info[4], "residual");
      expect_length(info.Env(), residual.length, "residual", o.tokens, live(info.Env())->out());
      o.residual = residual.data;
    }
    return o;
  }

  // run(x, xType, tokens, y, yType, privateY, cancelToken | undefined, residual | undefined) -> Promise<void>
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const Operands o = operands(info, info[7]);
    CancelFlag cancel = CancelToken::flag_of(info[6]);
    // The worker must not touch x (see run.cc). Instead of copying x for it we pack x here and now, with all threads.
    const auto staging = env.GetInstanceData<Addon>()->staging();
    const auto give_back = [staging](SpmmInput* input) {
      staging->give(std::move(input->x));
      delete input;
    };
    const auto plan = live(env);
    const std::shared_ptr<SpmmInput> input(new SpmmInput(plan->input(o.tokens)), give_back);
    input->x = staging->take(static_cast<size_t>(input->floats) * sizeof(float));
    if (const Status status = plan->pack(o.x.data, o.x.type, input.get()); !status.ok()) throw to_error(env, status);
    const size_t residual_bytes = o.residual ? static_cast<size_t>(o.y.length) * size_of(o.y.type) : 0;
    return run_async(
        env, {{o.residual, residual_bytes}}, {{info[3], info[5].ToBoolean()}}, std::move(cancel),
        [plan, input, type = o.y.type](const void* const* in, void* const* out, const std::atomic<bool>* flag) {
          return plan->multiply(*input, out[0], type, flag, in[0]);
        },
        plan->run_threads());
  }

  // runSync(x, xType, tokens, y, yType, residual)
  Napi::Value run_sync(const Napi::CallbackInfo& info) {
    const Operands o = operands(info, info[5]);
    if (const Status status = live(info.Env())->run(o.x.data, o.x.type, o.tokens, o.y.data, o.y.type, nullptr, o.residual); !status.ok())
      throw to_error(info.Env(), status);
    return info.Env().Undefined();
  }

  // scales(scales)
  Napi::Value scales(const Napi::CallbackInfo& info) {
    const auto& plan = live(info.Env());
    const auto scales = span<float>(info[0], "scales");
    expect_length(info.Env(), scales.length, "scales", plan->out() * (plan->gated() ? 2 : 1), plan->scales_per_row());
    plan->scales(scales.data);
    return info.Env().Undefined();
  }

  // toDense(dense)
  Napi::Value to_dense(const Napi::CallbackInfo& info) {
    const auto& plan = live(info.Env());
    const auto dense = span<float>(info[0], "dense");
    expect_length(info.Env(), dense.length, "dense", plan->out() * (plan->gated() ? 2 : 1), plan->in());
    plan->to_dense(dense.data);
    return info.Env().Undefined();
  }
};

std::vector<KernelRow> rows() {
  std::vector<KernelRow> rows = spmm_kernels();
  for (KernelRow& row : spmm_cuda_kernels()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace

const Verb kSpmm = {[](Napi::Env env, Napi::Object exports) {
                      exports.Set("SpmmPlan", SpmmPlanObject::define(env));
                      exports.Set("SpmmCudaPlan", define_spmm_cuda_plan(env));
                    },
                    &rows};

}  // namespace sk::napi

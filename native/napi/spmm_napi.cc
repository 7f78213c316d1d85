#include "spmm_napi.h"

#include <limits>
#include <string>

#include "addon.h"
#include "args.h"
#include "run.h"

namespace sk::napi {
namespace {

constexpr int64_t kMaxDimension = int64_t{1} << 48;

}  // namespace

Napi::Function SpmmPlanObject::define(Napi::Env env) {
  return DefineClass(env, "SpmmPlan",
                     {InstanceMethod<&SpmmPlanObject::run>("run"), InstanceMethod<&SpmmPlanObject::run_sync>("runSync"),
                      InstanceMethod<&SpmmPlanObject::to_dense>("toDense"), InstanceMethod<&SpmmPlanObject::dispose>("dispose"),
                      InstanceAccessor<&SpmmPlanObject::kernel>("kernel"), InstanceAccessor<&SpmmPlanObject::bytes>("bytes")});
}

// new SpmmPlan({ weight, out, in, n, m, bias, activation, isa, tokens, threads })
SpmmPlanObject::SpmmPlanObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SpmmPlanObject>(info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) throw type_error(env, "expected an object of options");
  const Napi::Object o = info[0].As<Napi::Object>();
  SpmmOptions options;
  const FloatSpan weight = float_span(o.Get("weight"), "weight");
  options.weight = {weight.data, integer(o.Get("out"), "out", 1, kMaxDimension), integer(o.Get("in"), "in", 1, kMaxDimension)};
  expect_length(env, weight, "weight", options.weight.rows, options.weight.columns);
  if (!o.Get("bias").IsUndefined()) {
    const FloatSpan bias = float_span(o.Get("bias"), "bias");
    expect_length(env, bias, "bias", 1, options.weight.rows);
    options.bias = bias.data;
  }
  options.n = static_cast<int>(integer(o.Get("n"), "n", 0, 64));
  options.m = static_cast<int>(integer(o.Get("m"), "m", 0, 64));
  options.activation = static_cast<Activation>(integer(o.Get("activation"), "activation", 0, 1));
  options.isa = o.Get("isa").IsString() ? o.Get("isa").As<Napi::String>().Utf8Value() : "";
  options.tokens = integer(o.Get("tokens"), "tokens", 1, kMaxDimension);
  options.threads = static_cast<int>(integer(o.Get("threads"), "threads", 0, 1024));
  if (const Status status = SpmmPlan::create(options, &plan_); !status.ok()) throw to_error(env, status);
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(plan_->bytes()));
}

const std::shared_ptr<const SpmmPlan>& SpmmPlanObject::live(Napi::Env env) const {
  if (!plan_) throw to_error(env, Status(Code::kDisposed, "the plan was used after dispose()"));
  return plan_;
}

// run(x, tokens, y, privateY, cancelToken | undefined) -> Promise<void>
Napi::Value SpmmPlanObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<const SpmmPlan>& plan = live(env);
  const FloatSpan x = float_span(info[0], "x");
  const int64_t tokens = integer(info[1], "tokens", 0, kMaxDimension);
  expect_length(env, x, "x", tokens, plan->in());
  expect_length(env, float_span(info[2], "out"), "out", tokens, plan->out());
  auto cancel = CancelToken::flag_of(info[4]);
  auto* worker = new RunWorker<SpmmPlan>(env, env.GetInstanceData<Addon>()->staging(), plan, x, tokens, info[2], info[3].ToBoolean(),
                                         std::move(cancel));  // deletes itself
  return worker->start();
}

// runSync(x, tokens, y)
Napi::Value SpmmPlanObject::run_sync(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<const SpmmPlan>& plan = live(env);
  const FloatSpan x = float_span(info[0], "x"), y = float_span(info[2], "out");
  const int64_t tokens = integer(info[1], "tokens", 0, kMaxDimension);
  expect_length(env, x, "x", tokens, plan->in());
  expect_length(env, y, "out", tokens, plan->out());
  if (const Status status = plan->run(x.data, tokens, y.data, nullptr); !status.ok()) throw to_error(env, status);
  return env.Undefined();
}

// toDense(dense)
Napi::Value SpmmPlanObject::to_dense(const Napi::CallbackInfo& info) {
  const std::shared_ptr<const SpmmPlan>& plan = live(info.Env());
  const FloatSpan dense = float_span(info[0], "dense");
  expect_length(info.Env(), dense, "dense", plan->out(), plan->in());
  plan->to_dense(dense.data);
  return info.Env().Undefined();
}

Napi::Value SpmmPlanObject::kernel(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), live(info.Env())->kernel().name);
}

Napi::Value SpmmPlanObject::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->bytes()));
}

void SpmmPlanObject::dispose(const Napi::CallbackInfo& info) { Finalize(info.Env()); }

void SpmmPlanObject::Finalize(Napi::BasicEnv env) {
  if (plan_) Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(plan_->bytes()));
  plan_.reset();
}

Napi::Value spmm_kernel_rows(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Array rows = Napi::Array::New(env);
  for (const SpmmRow& row : spmm_kernels()) {
    const Napi::Object o = Napi::Object::New(env);
    o.Set("name", row.kernel->name);
    o.Set("verb", "spmm");
    o.Set("dtype", "float32");
    o.Set("n", row.kernel->n);
    o.Set("m", row.kernel->m);
    o.Set("isa", row.kernel->isa);
    o.Set("lanes", row.kernel->lanes);
    o.Set("supported", row.supported);
    rows.Set(rows.Length(), o);
  }
  return rows;
}

}  // namespace sk::napi

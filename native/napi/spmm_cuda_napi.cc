#include "device_call.h"
#include "plan_object.h"
#include "spmm_napi.h"

namespace sk::napi {
namespace {

class SpmmCudaPlanObject : public PlanObject<SpmmCudaPlanObject, SpmmCudaPlan> {
 public:
  static Napi::Function define(Napi::Env env) {
    return define_class(env, "SpmmCudaPlan",
                        {InstanceMethod<&SpmmCudaPlanObject::run>("run"), InstanceMethod<&SpmmCudaPlanObject::to_dense>("toDense")});
  }

  // new SpmmCudaPlan(options), those of SpmmPlan
  explicit SpmmCudaPlanObject(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    std::shared_ptr<const SpmmCudaPlan> plan;
    if (const Status status = SpmmCudaPlan::create(env.GetInstanceData<Addon>()->cuda(env), spmm_options(info[0]), &plan); !status.ok())
      throw to_error(env, status);
    adopt(env, std::move(plan));
  }

 private:
  // run({ x, xType, tokens, y, yType, residual }, call) -> Promise<void>; x, y and residual (of yType, may be undefined) are DeviceArrays
  Napi::Value run(const Napi::CallbackInfo& info) {
    const auto plan = live(info.Env());
    const Napi::Object o = object(info[0], "options");
    DeviceCall call(o, info[1]);
    const DType x_type = float_type(o.Get("xType"), "x type"), y_type = float_type(o.Get("yType"), "y type");
    const int64_t tokens = integer(o.Get("tokens"), "tokens", 0, kMaxDimension);
    const CudaBuffer* x = call.get("x", x_type, tokens, plan->in());
    const CudaBuffer* y = call.out("y", y_type, tokens, plan->out());
    const CudaBuffer* residual = call.optional("residual", y_type, tokens, plan->out());
    return call.finish(
        [plan, x, x_type, tokens, y, y_type, residual](const void* const*) { return plan->run(*x, x_type, tokens, *y, y_type, residual); });
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

}  // namespace

Napi::Function define_spmm_cuda_plan(Napi::Env env) { return SpmmCudaPlanObject::define(env); }

}  // namespace sk::napi

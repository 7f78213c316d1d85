#include "addon.h"
#include "device_array.h"
#include "plan_object.h"
#include "run.h"
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
  static DType activation_type(const Napi::Value& value, const char* name) { return static_cast<DType>(integer(value, name, 0, 2)); }

  // run(x, xType, tokens, y, yType, cancelToken | undefined, residual | undefined) -> Promise<void>; x, y and residual (of yType) are
  // DeviceArrays
  Napi::Value run(const Napi::CallbackInfo& info) {
    const auto plan = live(info.Env());
    const DType x_type = activation_type(info[1], "x type"), y_type = activation_type(info[4], "y type");
    const int64_t tokens = integer(info[2], "tokens", 0, kMaxDimension);
    const auto x = DeviceArray::buffer_of(info[0], x_type, tokens, plan->in(), "x");
    const auto y = DeviceArray::buffer_of(info[3], y_type, tokens, plan->out(), "out");
    std::shared_ptr<CudaBuffer> residual;
    if (!info[6].IsUndefined()) residual = DeviceArray::buffer_of(info[6], y_type, tokens, plan->out(), "residual");
    return run_async(info.Env(), {}, {}, CancelToken::flag_of(info[5]),
                     [plan, x, x_type, tokens, y, y_type, residual](const void* const*, void* const*, const std::atomic<bool>* cancel) {
                       if (cancel && cancel->load(std::memory_order_relaxed)) return Status(Code::kAborted, "the run was aborted");
                       const Status status = plan->run(*x, x_type, tokens, *y, y_type, residual.get());
                       return status.ok() ? plan->device()->synchronize() : status;
                     });
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

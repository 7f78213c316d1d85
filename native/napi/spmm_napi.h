// spmm for JavaScript: class SpmmPlan and the rows of kernels.def. types/native.d.ts is the contract.
#pragma once

#include <napi.h>

#include <memory>

#include "../spmm/spmm.h"

namespace sk::napi {

class SpmmPlanObject : public Napi::ObjectWrap<SpmmPlanObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SpmmPlanObject(const Napi::CallbackInfo& info);

 private:
  const std::shared_ptr<const SpmmPlan>& live(Napi::Env env) const;  // throws after dispose()
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value run_sync(const Napi::CallbackInfo& info);
  Napi::Value to_dense(const Napi::CallbackInfo& info);
  Napi::Value kernel(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

  std::shared_ptr<const SpmmPlan> plan_;
};

Napi::Value spmm_kernel_rows(const Napi::CallbackInfo& info);

}  // namespace sk::napi

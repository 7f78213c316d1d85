// A plan as a JavaScript object: owns a share of an immutable native plan, reports its memory, refuses use after dispose().
#pragma once

#include <napi.h>

#include <memory>
#include <utility>
#include <vector>

#include "args.h"

namespace sk::napi {

// Plan has kernel().name and bytes(). Derived: class X : public PlanObject<X, XPlan>, with methods added in define_class().
template <class Derived, class Plan>
class PlanObject : public Napi::ObjectWrap<Derived> {
 public:
  using Base = PlanObject<Derived, Plan>;

 protected:
  explicit PlanObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Derived>(info) {}

  static Napi::Function define_class(Napi::Env env, const char* name, std::vector<Napi::ClassPropertyDescriptor<Derived>> members) {
    using Getter = Napi::Value (Derived::*)(const Napi::CallbackInfo&);
    members.push_back(Derived::InstanceMethod("dispose", static_cast<void (Derived::*)(const Napi::CallbackInfo&)>(&Derived::dispose)));
    members.push_back(Derived::InstanceAccessor("kernel", static_cast<Getter>(&Derived::kernel), nullptr));
    members.push_back(Derived::InstanceAccessor("bytes", static_cast<Getter>(&Derived::bytes), nullptr));
    return Derived::DefineClass(env, name, members);
  }

  void adopt(Napi::Env env, std::shared_ptr<const Plan> plan) {
    plan_ = std::move(plan);
    Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(plan_->bytes()));
  }

  // Throws after dispose().
  const std::shared_ptr<const Plan>& live(Napi::Env env) const {
    if (!plan_) throw to_error(env, Status(Code::kDisposed, "the plan was used after dispose()"));
    return plan_;
  }

 public:
  void dispose(const Napi::CallbackInfo& info) { Finalize(info.Env()); }
  Napi::Value kernel(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), live(info.Env())->kernel().name); }
  Napi::Value bytes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(live(info.Env())->bytes()));
  }

  void Finalize(Napi::BasicEnv env) override {
    if (plan_) Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(plan_->bytes()));
    plan_.reset();
  }

 private:
  std::shared_ptr<const Plan> plan_;
};

}  // namespace sk::napi

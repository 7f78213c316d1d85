// A cancel flag that JavaScript can raise while a run is under way.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>

#include "args.h"

namespace sk::napi {

using CancelFlag = std::shared_ptr<std::atomic<bool>>;

// The tag keeps other objects from being unwrapped as one.
class CancelToken : public Napi::ObjectWrap<CancelToken> {
 public:
  static Napi::Function define(Napi::Env env) { return DefineClass(env, "CancelToken", {InstanceMethod<&CancelToken::cancel>("cancel")}); }
  explicit CancelToken(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CancelToken>(info) {
    info.This().As<Napi::Object>().TypeTag(&kTag);
  }

  // The flag of a CancelToken, null for undefined; throws for anything else.
  static CancelFlag flag_of(const Napi::Value& value) {
    if (value.IsUndefined()) return nullptr;
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag))
      throw type_error(value.Env(), "expected cancel to be a CancelToken");
    return Unwrap(value.As<Napi::Object>())->flag_;
  }

 private:
  static constexpr napi_type_tag kTag = {0x9c1f0e6b3ad94f52, 0xb7a4d2c85e6f1093};
  void cancel(const Napi::CallbackInfo&) { flag_->store(true, std::memory_order_relaxed); }
  CancelFlag flag_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace sk::napi

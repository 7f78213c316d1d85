// How every plan runs: at once, or on a libuv worker behind a promise.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "../core/memory.h"
#include "args.h"

namespace sk::napi {

// A cancel flag that JavaScript can raise while a run is under way. The tag keeps other objects from being unwrapped as one.
class CancelToken : public Napi::ObjectWrap<CancelToken> {
 public:
  static Napi::Function define(Napi::Env env) { return DefineClass(env, "CancelToken", {InstanceMethod<&CancelToken::cancel>("cancel")}); }
  explicit CancelToken(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CancelToken>(info) {
    info.This().As<Napi::Object>().TypeTag(&kTag);
  }

  // The flag of a CancelToken, null for undefined; throws for anything else.
  static std::shared_ptr<const std::atomic<bool>> flag_of(const Napi::Value& value) {
    if (value.IsUndefined()) return nullptr;
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag))
      throw type_error(value.Env(), "expected cancel to be a CancelToken");
    return Unwrap(value.As<Napi::Object>())->flag_;
  }

 private:
  static constexpr napi_type_tag kTag = {0x9c1f0e6b3ad94f52, 0xb7a4d2c85e6f1093};
  void cancel(const Napi::CallbackInfo&) { flag_->store(true, std::memory_order_relaxed); }
  std::shared_ptr<std::atomic<bool>> flag_ = std::make_shared<std::atomic<bool>>(false);
};

// Buffers of finished runs, kept for the next ones, which then do without page faults. Used on one environment's thread only.
class StagingPool {
 public:
  // The smallest idle buffer that holds so many bytes; an empty one where there is none or nothing is asked for.
  AlignedBuffer take(size_t bytes) {
    if (bytes == 0) return AlignedBuffer();
    auto best = idle_.end();
    for (auto it = idle_.begin(); it != idle_.end(); ++it)
      if (it->bytes() >= bytes && (best == idle_.end() || it->bytes() < best->bytes())) best = it;
    if (best == idle_.end()) return AlignedBuffer();
    AlignedBuffer buffer = std::move(*best);
    idle_.erase(best);
    return buffer;
  }

  // Keeps the last few buffers, unless they are large.
  void give(AlignedBuffer buffer) {
    constexpr size_t kMost = 6, kLargest = size_t{16} << 20;
    if (buffer.bytes() == 0 || buffer.bytes() > kLargest) return;
    if (idle_.size() == kMost) idle_.erase(idle_.begin());
    idle_.push_back(std::move(buffer));
  }

 private:
  std::vector<AlignedBuffer> idle_;
};

// One asynchronous plan.run(x, tokens, y, cancel). JavaScript may transfer an ArrayBuffer away while the worker is busy, after which its
// memory can be freed at any moment, and Node-API has no way to hold it. So the worker sees only memory that nobody can take away:
// a copy of x, and either a y that JavaScript has not seen yet (private_y) or a buffer whose result is copied at the end.
template <class Plan>
class RunWorker : public Napi::AsyncWorker {
 public:
  RunWorker(Napi::Env env, std::shared_ptr<StagingPool> staging, std::shared_ptr<const Plan> plan, const FloatSpan& x, int64_t tokens,
            const Napi::Value& y, bool private_y, std::shared_ptr<const std::atomic<bool>> cancel)
      : Napi::AsyncWorker(env, "sparse-kernels:run"),
        deferred_(env),
        staging_(std::move(staging)),
        plan_(std::move(plan)),
        tokens_(tokens),
        y_length_(float_span(y, "out").length),
        y_data_(float_span(y, "out").data),
        private_y_(private_y),
        cancel_(std::move(cancel)) {
    const size_t x_bytes = static_cast<size_t>(x.length) * sizeof(float),
                 y_bytes = private_y ? 0 : static_cast<size_t>(y_length_) * sizeof(float);
    x_ = staging_->take(x_bytes);
    staged_y_ = staging_->take(y_bytes);
    if (!x_.reserve(x_bytes) || !staged_y_.reserve(y_bytes)) {
      status_ = Status(Code::kMemory, "no memory for the copies of an asynchronous run");
      return;
    }
    if (x_bytes > 0) std::memcpy(x_.as<float>(), x.data, x_bytes);
    y_ = Napi::Persistent(y.As<Napi::Object>());
  }

  ~RunWorker() override {
    staging_->give(std::move(x_));
    staging_->give(std::move(staged_y_));
  }

  Napi::Promise start() {
    const Napi::Promise promise = deferred_.Promise();
    Queue();
    return promise;
  }

 protected:
  void Execute() override {
    if (status_.ok()) status_ = plan_->run(x_.as<float>(), tokens_, private_y_ ? y_data_ : staged_y_.as<float>(), cancel_.get());
  }

  void OnOK() override {
    const Napi::HandleScope scope(Env());
    try {
      if (!status_.ok()) throw to_error(Env(), status_);
      if (!private_y_) {
        const FloatSpan y = float_span(y_.Value(), "out");
        expect_length(Env(), y, "out", 1, y_length_);
        if (y_length_ > 0) std::memcpy(y.data, staged_y_.as<float>(), static_cast<size_t>(y_length_) * sizeof(float));
      }
      deferred_.Resolve(Env().Undefined());
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<StagingPool> staging_;
  std::shared_ptr<const Plan> plan_;  // outlives dispose() during the run
  int64_t tokens_;
  Napi::ObjectReference y_;
  int64_t y_length_;
  float* y_data_;
  bool private_y_;
  std::shared_ptr<const std::atomic<bool>> cancel_;
  AlignedBuffer x_, staged_y_;
  Status status_;
};

}  // namespace sk::napi

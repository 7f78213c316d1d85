#include "run.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "../core/parallel.h"
#include "addon.h"
#include "run_queue.h"
#include "staging.h"

namespace sk::napi {
namespace {

// JavaScript may transfer an ArrayBuffer away while a run is under way, after which its memory can be freed at any moment, and Node-API has
// no way to hold it. So it sees copies of the inputs, and outputs that JavaScript has not seen yet or that are copied at the end.
class PlanRun : public QueuedRun {
 public:
  PlanRun(Napi::Env env, const std::vector<Input>& inputs, const std::vector<Output>& outputs, CancelFlag cancel, Body body, int threads)
      : QueuedRun(std::move(cancel)),
        env_(env),
        deferred_(env),
        staging_(env.GetInstanceData<Addon>()->staging()),
        body_(std::move(body)),
        threads_(threads) {
    for (const Input& input : inputs) {
      if (!input.owner.IsEmpty()) {
        owners_.push_back(Napi::Persistent(input.owner.As<Napi::Object>()));
        in_.push_back(input.data);
        continue;
      }
      void* copy = stage(input.bytes);
      if (copy != nullptr && input.bytes > 0) std::memcpy(copy, input.data, input.bytes);
      in_.push_back(copy);
    }
    for (const Output& output : outputs) {
      const Bytes y = bytes_of(output.array, "out");
      out_.push_back(output.is_private ? y.data : stage(y.bytes));
      y_.push_back({Napi::Persistent(output.array.As<Napi::Object>()), y.bytes, output.is_private});
    }
  }

  ~PlanRun() override {
    for (AlignedBuffer& buffer : buffers_) staging_->give(std::move(buffer));
  }

  Napi::Promise promise() const { return deferred_.Promise(); }

  void execute() override {
    if (status_.ok()) status_ = body_(in_.data(), out_.data(), cancel());
  }

  void settle() override {
    try {
      if (!status_.ok()) throw to_error(env_, status_);
      for (size_t i = 0; i < y_.size(); ++i) {
        if (y_[i].is_private) continue;
        const Bytes y = bytes_of(y_[i].array.Value(), "out");
        if (y.bytes != y_[i].bytes) throw to_error(env_, Status(Code::kShape, "expected out to keep its length while a run writes it"));
        copy(y.data, out_[i], static_cast<int64_t>(y.bytes));
      }
      deferred_.Resolve(env_.Undefined());
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

 private:
  struct Destination {
    Napi::ObjectReference array;
    size_t bytes;
    bool is_private;
  };

  void copy(void* to, const void* from, int64_t bytes) const {
    constexpr int64_t kPart = 64 << 10;
    parallel_for(ceil_div(bytes, kPart), threads_, [&](int64_t part, int) {
      const int64_t at = part * kPart;
      std::memcpy(static_cast<char*>(to) + at, static_cast<const char*>(from) + at, static_cast<size_t>(std::min(kPart, bytes - at)));
    });
  }

  // Memory for one operand; null and a failed status where there is none.
  void* stage(size_t bytes) {
    AlignedBuffer buffer = staging_->take(bytes);
    if (bytes == 0) return nullptr;
    if (!buffer.reserve(bytes)) {
      status_ = Status(Code::kMemory, "no memory for the copies of an asynchronous run");
      return nullptr;
    }
    buffers_.push_back(std::move(buffer));
    return buffers_.back().as<void>();
  }

  Napi::Env env_;
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<StagingPool> staging_;
  Body body_;
  int threads_;
  std::vector<AlignedBuffer> buffers_;
  std::vector<Napi::ObjectReference> owners_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
  std::vector<Destination> y_;
  Status status_;
};

}  // namespace

Napi::Value run_async(Napi::Env env, const std::vector<Input>& inputs, const std::vector<Output>& outputs, CancelFlag cancel, Body body,
                      int threads) {
  auto run = std::make_unique<PlanRun>(env, inputs, outputs, std::move(cancel), std::move(body), threads);
  const Napi::Promise promise = run->promise();
  env.GetInstanceData<Addon>()->runs(env).start(std::move(run));
  return promise;
}

}  // namespace sk::napi

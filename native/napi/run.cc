#include "run.h"

#include <cstring>
#include <utility>

#include "../core/parallel.h"
#include "addon.h"
#include "staging.h"

namespace sk::napi {
namespace {

// JavaScript may transfer an ArrayBuffer away while the worker is busy, after which its memory can be freed at any moment, and Node-API has
// no way to hold it. So the worker sees copies of the inputs, and outputs that JavaScript has not seen yet or that are copied at the end.
class RunWorker : public Napi::AsyncWorker {
 public:
  RunWorker(Napi::Env env, const std::vector<Input>& inputs, const std::vector<Output>& outputs, CancelFlag cancel, Body body)
      : Napi::AsyncWorker(env, "sparse-kernels:run"),
        deferred_(env),
        staging_(env.GetInstanceData<Addon>()->staging()),
        cancel_(std::move(cancel)),
        body_(std::move(body)) {
    ThreadPool::instance().rest();
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

  ~RunWorker() override {
    for (AlignedBuffer& buffer : buffers_) staging_->give(std::move(buffer));
  }

  Napi::Promise start() {
    const Napi::Promise promise = deferred_.Promise();
    Queue();
    return promise;
  }

 protected:
  void Execute() override {
    ThreadPool::arrive();
    if (status_.ok()) status_ = body_(in_.data(), out_.data(), cancel_.get());
    ThreadPool::instance().rest();
  }

  void OnOK() override {
    const Napi::HandleScope scope(Env());
    try {
      if (!status_.ok()) throw to_error(Env(), status_);
      for (size_t i = 0; i < y_.size(); ++i) {
        if (y_[i].is_private) continue;
        const Bytes y = bytes_of(y_[i].array.Value(), "out");
        if (y.bytes != y_[i].bytes) throw to_error(Env(), Status(Code::kShape, "expected out to keep its length while a run writes it"));
        if (y.bytes > 0) std::memcpy(y.data, out_[i], y.bytes);
      }
      deferred_.Resolve(Env().Undefined());
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  struct Destination {
    Napi::ObjectReference array;
    size_t bytes;
    bool is_private;
  };

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

  Napi::Promise::Deferred deferred_;
  std::shared_ptr<StagingPool> staging_;
  CancelFlag cancel_;
  Body body_;
  std::vector<AlignedBuffer> buffers_;
  std::vector<Napi::ObjectReference> owners_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
  std::vector<Destination> y_;
  Status status_;
};

}  // namespace

Napi::Value run_async(Napi::Env env, const std::vector<Input>& inputs, const std::vector<Output>& outputs, CancelFlag cancel, Body body) {
  return (new RunWorker(env, inputs, outputs, std::move(cancel), std::move(body)))->start();  // deletes itself
}

}  // namespace sk::napi

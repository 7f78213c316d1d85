// The addon: one instance per environment (main thread, each worker thread), so there are no mutable statics.
#pragma once

#include <napi.h>

#include <memory>

#include "../core/status.h"
#include "../cuda/device.h"
#include "run_queue.h"
#include "staging.h"

namespace sk::napi {

class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports);
  ~Addon();

  const std::shared_ptr<StagingPool>& staging() const { return staging_; }

  RunQueue& runs(Napi::Env env);

  // The CUDA device, opened when it is first asked for.
  Status open_cuda(std::shared_ptr<const CudaDevice>* device);
  // The same, thrown where there is none.
  std::shared_ptr<const CudaDevice> cuda(Napi::Env env);

 private:
  Napi::Value kernels(const Napi::CallbackInfo& info);
  Napi::Value isas(const Napi::CallbackInfo& info);
  Napi::Value get_num_threads(const Napi::CallbackInfo& info);
  void set_num_threads(const Napi::CallbackInfo& info);
  Napi::Value physical(const Napi::CallbackInfo& info);

  std::shared_ptr<const CudaDevice> cuda_;
  std::unique_ptr<RunQueue> runs_;  // made when it is first asked for
  std::shared_ptr<StagingPool> staging_ = std::make_shared<StagingPool>();
};

}  // namespace sk::napi

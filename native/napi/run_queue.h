// The asynchronous runs of an environment, from the call until the event loop has heard of their end.
#pragma once

#include <napi.h>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "../core/runners.h"
#include "cancel.h"

namespace sk::napi {

class QueuedRun {
 public:
  explicit QueuedRun(CancelFlag cancel) : cancel_(cancel ? std::move(cancel) : std::make_shared<std::atomic<bool>>(false)) {}
  virtual ~QueuedRun() = default;
  virtual void execute() = 0;  // on another thread
  virtual void settle() = 0;   // on the environment's thread, after execute(); not called if the environment ends before
  const std::atomic<bool>* cancel() const { return cancel_.get(); }
  void abort() { cancel_->store(true, std::memory_order_relaxed); }

 private:
  CancelFlag cancel_;
};

// Used on one environment's thread. Threads of its own rather than those of libuv: long runs take none from files and name look-ups, and
// see Runners on how they are woken.
class RunQueue {
 public:
  explicit RunQueue(Napi::Env env);
  // Throws if the system grants no thread.
  void start(std::unique_ptr<QueuedRun> run);

 private:
  static void on_finished(napi_env env, napi_value, void* context, void*);
  static void on_exit(void* self);  // aborts what is under way: nobody will see it
  void deliver();

  Napi::Env env_;
  napi_threadsafe_function wake_ = nullptr;  // lets the event loop call on_finished()
  std::list<std::unique_ptr<QueuedRun>> runs_;
  std::mutex mutex_;
  std::vector<QueuedRun*> finished_;  // guarded by mutex_
  Runners runners_;
};

}  // namespace sk::napi

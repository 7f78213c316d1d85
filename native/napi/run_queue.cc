#include "run_queue.h"

#include <algorithm>

#include "args.h"

namespace sk::napi {

RunQueue::RunQueue(Napi::Env env) : env_(env) {
  const Napi::String name = Napi::String::New(env, "sparse-kernels:run");
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, on_finished, &wake_) != napi_ok ||
      napi_unref_threadsafe_function(env, wake_) != napi_ok)
    throw Napi::Error::New(env);
  // The last hook is the first to be called: by the time that wake_ goes, no thread uses it any more.
  if (napi_add_env_cleanup_hook(env, on_exit, this) != napi_ok) throw Napi::Error::New(env);
}

void RunQueue::start(std::unique_ptr<QueuedRun> owned) {
  QueuedRun* run = owned.get();
  const bool submitted = runners_.submit([run] { run->execute(); },
                                         [this, run] {
                                           {
                                             const std::lock_guard<std::mutex> lock(mutex_);
                                             finished_.push_back(run);
                                           }
                                           napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
                                         });
  if (!submitted) throw to_error(env_, Status(Code::kMemory, "no thread for an asynchronous run"));
  if (runs_.empty()) napi_ref_threadsafe_function(env_, wake_);  // keeps the process alive
  runs_.push_back(std::move(owned));
}

void RunQueue::on_finished(napi_env env, napi_value, void* context, void*) {
  if (env != nullptr) static_cast<RunQueue*>(context)->deliver();  // null: the environment ends
}

void RunQueue::deliver() {
  const Napi::HandleScope scope(env_);
  std::vector<QueuedRun*> finished;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    finished.swap(finished_);
  }
  for (QueuedRun* run : finished) {
    try {
      run->settle();
    } catch (const Napi::Error&) {
      // A worker that is being terminated runs no more JavaScript.
    }
    runs_.erase(std::find_if(runs_.begin(), runs_.end(), [run](const auto& owned) { return owned.get() == run; }));
  }
  if (runs_.empty() && !finished.empty()) napi_unref_threadsafe_function(env_, wake_);
}

void RunQueue::on_exit(void* self) {
  RunQueue& queue = *static_cast<RunQueue*>(self);
  for (const auto& run : queue.runs_) run->abort();
  queue.runners_.stop();
  queue.runs_.clear();
  napi_release_threadsafe_function(queue.wake_, napi_tsfn_abort);
}

}  // namespace sk::napi

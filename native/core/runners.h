// Threads for asynchronous runs: each carries out one at a time, as the caller of its loops in the thread pool.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace sk {

class Runners {
 public:
  using Job = std::function<void()>;

  Runners();
  ~Runners();  // stop()

  // Calls job() on one of a few threads, the first in first, then done(): by then the thread is idle and takes what is submitted next,
  // without another one that must wake up. They must not throw. False if the system grants no thread.
  bool submit(Job job, Job done = [] {});

  // Waits for the jobs that have begun and drops the others. Nothing may be submitted from here on.
  void stop();

 private:
  struct Runner;
  struct Task {
    Job job, done;
  };

  bool grow(Task* task);
  void work(Runner* runner);
  bool rest(Runner* runner, const Job& done);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Runner>> runners_;
  std::vector<Runner*> idle_;  // the last to become idle is the first to be taken: what it needs is in its core's cache
  std::deque<Task> waiting_;
  bool stopping_ = false;
};

}  // namespace sk

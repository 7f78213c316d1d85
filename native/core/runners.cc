#include "runners.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

namespace sk {
namespace {

// Most jobs that are under way at the same time; each may use the whole thread pool.
constexpr size_t kMost = 4;

}  // namespace

// It waits for a byte in its pipe. A condition variable would do, but Linux takes who writes into a pipe for one that is about to sleep, as
// the event loop is, and wakes the reader on the same core. Woken otherwise it may end up behind a worker of the pool that polls for the
// loops of this very job, and stay there for milliseconds: in a virtual machine idle cores do not count as free.
struct Runners::Runner {
  Runner() {
    if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category());
    for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  ~Runner() {
    close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
  }

  int ends[2];
  Task task;  // the next one
  std::thread thread;
};

Runners::Runners() = default;
Runners::~Runners() { stop(); }

bool Runners::grow(Task* task) {  // mutex_ is held
  try {
    auto runner = std::make_unique<Runner>();
    runner->thread = std::thread(&Runners::work, this, runner.get());
    runner->task = std::move(*task);
    runners_.push_back(std::move(runner));
  } catch (const std::system_error&) {
    return false;  // no thread, or no pipe
  }
  return true;
}

bool Runners::submit(Job job, Job done) {
  Task task = {std::move(job), std::move(done)};
  Runner* runner = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return false;
    if (idle_.empty()) {
      if (runners_.size() < kMost && grow(&task)) return true;
      if (runners_.empty()) return false;
      waiting_.push_back(std::move(task));
      return true;
    }
    runner = idle_.back();
    idle_.pop_back();
    runner->task = std::move(task);
  }
  const char byte = 0;
  while (write(runner->ends[1], &byte, 1) < 0 && errno == EINTR) continue;
  return true;
}

void Runners::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    waiting_.clear();
    for (Runner* runner : idle_) {
      close(runner->ends[1]);  // ends its read()
      runner->ends[1] = -1;
    }
    idle_.clear();
  }
  for (const auto& runner : runners_) runner->thread.join();
  runners_.clear();
}

// Calls done() and waits until there is a task; false if there will be none.
bool Runners::rest(Runner* runner, const Job& done) {
  bool idle = false, busy = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!stopping_ && !waiting_.empty()) {
      runner->task = std::move(waiting_.front());
      waiting_.pop_front();
      busy = true;
    } else if (!stopping_) {
      idle_.push_back(runner);
      idle = true;
    }
  }
  done();
  if (!idle) return busy;
  char byte;
  ssize_t bytes;
  while ((bytes = read(runner->ends[0], &byte, 1)) < 0 && errno == EINTR) continue;
  return bytes > 0;
}

void Runners::work(Runner* runner) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
  }  // grow() is through
  Job done;
  do {
    Task task = std::exchange(runner->task, {});
    task.job();
    done = std::move(task.done);
  } while (rest(runner, done));  // what the job holds is freed before others hear of its end
}

}  // namespace sk

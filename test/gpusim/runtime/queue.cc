#include "queue.h"

#include <thread>

namespace gpusim {
namespace {

thread_local bool its_thread = false;

}  // namespace

Queue& Queue::get() {
  static Queue* queue = new Queue;  // a process may end while there is work
  return *queue;
}

bool Queue::is_its_thread() { return its_thread; }

Queue::Ticket Queue::submit(std::function<void()> work) {
  const std::lock_guard<std::mutex> lock(mutex_);
  waiting_.push_back(std::move(work));
  if (!running_) {
    running_ = true;
    std::thread([this] { run(); }).detach();
  }
  changed_.notify_all();
  return ++submitted_;
}

Queue::Ticket Queue::last() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return submitted_;
}

bool Queue::done(Ticket ticket) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return done_ >= ticket;
}

void Queue::wait(Ticket ticket) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return done_ >= ticket; });
}

void Queue::run() {
  its_thread = true;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return !waiting_.empty(); });
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    lock.lock();
    ++done_;
    changed_.notify_all();
  }
}

}  // namespace gpusim

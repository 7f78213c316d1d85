#include "parallel.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "cpu.h"

namespace sk {
namespace {

// How long an idle worker polls before it sleeps. A run is two loops (pack, multiply) a few microseconds apart, and waking a sleeping
// thread costs about as much as a small run.
constexpr auto kSpin = std::chrono::microseconds(50);

}  // namespace

struct ThreadPool::Loop {
  Body body;
  void* context;
  int64_t tasks;
  int max_slots;
  std::atomic<int64_t> next{0};
  int slots = 1;                // guarded by mutex_; slot 0 is the caller
  std::atomic<int> working{0};  // workers inside work()
};

ThreadPool& ThreadPool::instance() {
  static ThreadPool* pool = new ThreadPool;  // never destroyed: no order of exit can pull it from under a running loop
  return *pool;
}

ThreadPool::ThreadPool() : threads_(threads_from_environment()) {
  if (threads_ == 0) threads_ = physical_parallelism();
}

void ThreadPool::set_threads(int threads) { threads_.store(threads, std::memory_order_relaxed); }

void ThreadPool::retain() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++holders_;
}

void ThreadPool::release() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--holders_ > 0) return;
  }
  stop_workers();
}

void ThreadPool::grow(int workers) {  // mutex_ is held
  if (stopping_ || holders_ == 0) return;
  try {
    while (static_cast<int>(workers_.size()) < workers) workers_.emplace_back(&ThreadPool::worker, this);
  } catch (const std::system_error&) {
    // The system grants no more threads: the loop runs on those there are.
  }
}

void ThreadPool::stop_workers() {
  // One at a time: a second call that reset stopping_ early would leave the first one's workers asleep.
  const std::lock_guard<std::mutex> only(stop_mutex_);
  std::vector<std::thread> workers;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    workers.swap(workers_);
    published_.fetch_add(1);
  }
  wake_.notify_all();
  for (std::thread& worker : workers) worker.join();
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = false;
}

void ThreadPool::work(Loop& loop, int slot) {
  for (int64_t task; (task = loop.next.fetch_add(1, std::memory_order_relaxed)) < loop.tasks;) loop.body(loop.context, task, slot);
}

void ThreadPool::run(int64_t tasks, int max_threads, Body body, void* context) {
  const int64_t threads = std::min<int64_t>({tasks, max_threads, threads_.load(std::memory_order_relaxed)});
  if (threads <= 1) {
    for (int64_t task = 0; task < tasks; ++task) body(context, task, 0);
    return;
  }
  Loop loop{body, context, tasks, static_cast<int>(threads)};
  std::list<Loop*>::iterator place;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    grow(static_cast<int>(threads) - 1);
    place = loops_.insert(loops_.end(), &loop);
    published_.fetch_add(1, std::memory_order_release);
  }
  for (int64_t i = 1; i < threads; ++i) wake_.notify_one();
  work(loop, 0);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    loops_.erase(place);  // no worker can join from here on
  }
  while (loop.working.load(std::memory_order_acquire) > 0) std::this_thread::yield();
}

void ThreadPool::worker() {
  uint64_t seen = 0;
  for (;;) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    while (published_.load(std::memory_order_acquire) == seen && std::chrono::steady_clock::now() < until) std::this_thread::yield();

    std::unique_lock<std::mutex> lock(mutex_);
    Loop* loop = nullptr;
    wake_.wait(lock, [&] {
      if (stopping_) return true;
      const auto open = std::find_if(loops_.begin(), loops_.end(), [](const Loop* l) {
        return l->slots < l->max_slots && l->next.load(std::memory_order_relaxed) < l->tasks;
      });
      loop = open == loops_.end() ? nullptr : *open;
      return loop != nullptr;
    });
    seen = published_.load(std::memory_order_relaxed);
    if (loop == nullptr) return;  // stopping
    const int slot = loop->slots++;
    loop->working.fetch_add(1, std::memory_order_relaxed);
    lock.unlock();
    work(*loop, slot);
    loop->working.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace sk

// The process-wide thread pool: the only process-wide state of the library.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

namespace sk {

// Runs loops in parallel. The calling thread takes part, so a loop always makes progress, whatever the workers do; several loops may
// run at once from different threads and share the workers. Tasks are handed out one by one (dynamic schedule).
class ThreadPool {
 public:
  // Workers are started on first use and live while anything holds the pool.
  static ThreadPool& instance();
  void retain();
  void release();  // the last one joins the workers

  // Threads that one loop may use, the caller included (1 .. 1024).
  void set_threads(int threads);
  int threads() const { return threads_.load(std::memory_order_relaxed); }

  // Calls body(context, task, slot) for every task in [0, tasks). slot < min(max_threads, threads()) is unique among the calls that run
  // at the same time, so it can index scratch memory. Returns when all are done. The body must not throw.
  using Body = void (*)(void* context, int64_t task, int slot);
  void run(int64_t tasks, int max_threads, Body body, void* context);

 private:
  struct Loop;

  ThreadPool();
  void grow(int workers);
  void stop_workers();
  void worker();
  static void work(Loop& loop, int slot);

  std::atomic<int> threads_;
  std::mutex stop_mutex_;  // held for the whole of stop_workers(); taken before mutex_
  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Loop*> loops_;              // loops that may take another worker
  std::atomic<uint64_t> published_{0};  // counts loops ever published: idle workers poll it before they sleep
  std::vector<std::thread> workers_;
  bool stopping_ = false;
  int holders_ = 0;
};

// run() for a callable.
template <class F>
void parallel_for(int64_t tasks, int max_threads, F&& body) {
  ThreadPool::instance().run(
      tasks, max_threads, [](void* context, int64_t task, int slot) { (*static_cast<F*>(context))(task, slot); }, &body);
}

}  // namespace sk

// The thread pool: every task once, slots that are nobody else's, loops from several threads, workers that stop and start again.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "../../native/core/parallel.h"
#include "deadlock.h"
#include "harness.h"

namespace sk_test {
namespace {

using sk::parallel_for;
using sk::ThreadPool;

// Runs one loop and says whether it kept its promises: each task once, no slot used by two calls at once or out of range.
bool loop_keeps_promises(int64_t tasks, int max_threads, int pool_threads, int* slots_seen = nullptr) {
  const int slots = max_threads < pool_threads ? max_threads : pool_threads;
  std::vector<std::atomic<int>> done(static_cast<size_t>(tasks)), busy(static_cast<size_t>(slots)), seen(static_cast<size_t>(slots));
  std::atomic<bool> ok{true};
  parallel_for(tasks, max_threads, [&](int64_t task, int slot) {
    if (task < 0 || task >= tasks || slot < 0 || slot >= slots) {
      ok = false;
      return;
    }
    if (busy[static_cast<size_t>(slot)].exchange(1) != 0) ok = false;
    if (task % 4 == 0) std::this_thread::yield();
    ++done[static_cast<size_t>(task)];
    seen[static_cast<size_t>(slot)] = 1;
    busy[static_cast<size_t>(slot)] = 0;
  });
  for (const auto& count : done) ok = ok && count == 1;
  if (slots_seen)
    for (const auto& s : seen) *slots_seen += s;
  return ok;
}

void from_threads(int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

void pool_suite() {
  ThreadPool& pool = ThreadPool::instance();
  check(pool.threads() >= 1, "ThreadPool: threads() is at least 1");
  pool.set_threads(4);
  check(pool.threads() == 4, "ThreadPool: set_threads()");

  check_ends("ThreadPool: a loop runs on its caller while nothing holds the pool", [] {
    const std::thread::id caller = std::this_thread::get_id();
    bool ok = true;
    int64_t count = 0;
    parallel_for(100, 4, [&](int64_t, int slot) { ok &= slot == 0 && std::this_thread::get_id() == caller, ++count; });
    return ok && count == 100;
  });

  pool.retain();
  check_ends("ThreadPool: every task once, slots unique, for each number of tasks and threads", [&] {
    bool ok = true;
    for (const int threads : {1, 2, 3, 4, 7}) {
      pool.set_threads(threads);
      for (const int max_threads : {1, 2, 3, 1024})
        for (const int64_t tasks : {0, 1, 2, 3, 4, 5, 63, 1000}) ok &= loop_keeps_promises(tasks, max_threads, threads);
    }
    pool.set_threads(4);
    return ok;
  });
  check_ends("ThreadPool: workers take part", [] {
    std::atomic<int> arrived{0};
    bool met = false;
    // Task 0 waits for another task to begin, which only another thread can do.
    parallel_for(2, 2, [&](int64_t, int) {
      ++arrived;
      const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (arrived < 2 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    });
    met = arrived == 2;
    return met;
  });
  check_ends("ThreadPool: what the tasks wrote is there when run() returns", [] {
    bool ok = true;
    for (int i = 0; i < 200; ++i) {
      std::vector<int64_t> written(257, -1);
      parallel_for(257, 4, [&](int64_t task, int) { written[static_cast<size_t>(task)] = task; });
      for (size_t t = 0; t < written.size(); ++t) ok &= written[t] == static_cast<int64_t>(t);
    }
    return ok;
  });
  check_ends("ThreadPool: loops from several threads at once", [] {
    std::atomic<bool> ok{true};
    from_threads(5, [&](int i) {
      for (int round = 0; round < 60; ++round)
        if (!loop_keeps_promises(1 + (i * 37 + round) % 90, 1 + (i + round) % 5, 4)) ok = false;
    });
    return ok.load();
  });
  check_ends("ThreadPool: a loop inside a task of another loop", [] {
    std::atomic<int> inner{0};
    parallel_for(8, 4, [&](int64_t, int) { parallel_for(16, 4, [&](int64_t, int) { ++inner; }); });
    return inner == 8 * 16;
  });
  check_ends("ThreadPool: set_threads() while loops run", [&] {
    std::atomic<bool> ok{true}, stop{false};
    std::thread changer([&] {
      for (int i = 0; !stop; ++i) {
        pool.set_threads(1 + i % 6);
        std::this_thread::yield();
      }
    });
    from_threads(2, [&](int) {
      for (int round = 0; round < 200; ++round)
        if (!loop_keeps_promises(50, 1024, 6)) ok = false;
    });
    stop = true;
    changer.join();
    pool.set_threads(4);
    return ok.load();
  });
  pool.release();

  check_ends("ThreadPool: stops and starts again", [&] {
    bool ok = true;
    for (int i = 0; i < 100; ++i) {
      pool.retain();
      if (i % 3) ok &= loop_keeps_promises(20, 4, 4);
      pool.retain();
      pool.release();
      if (i % 2) ok &= loop_keeps_promises(20, 4, 4);
      pool.release();
    }
    return ok;
  });
  check_ends("ThreadPool: released while a loop runs", [&] {
    bool ok = true;
    for (int i = 0; i < 50; ++i) {
      pool.retain();
      std::atomic<bool> loop_ok{true};
      std::thread runner([&] { loop_ok = loop_keeps_promises(200, 4, 4); });
      pool.release();
      runner.join();
      ok &= loop_ok;
    }
    return ok;
  });
  // As worker threads of Node do that load and unload the addon.
  check_ends("ThreadPool: held and released from several threads at once", [&] {
    std::atomic<bool> ok{true};
    from_threads(4, [&](int i) {
      for (int round = 0; round < 400; ++round) {
        pool.retain();
        if ((round + i) % 2 && !loop_keeps_promises(8, 4, 4)) ok = false;
        pool.release();
      }
    });
    return ok.load();
  });
  check_ends("ThreadPool: held and released again while the last holder but one stops the workers", [&] {
    for (int round = 0; round < 400; ++round) {
      pool.retain();
      parallel_for(8, 4, [](int64_t, int) {});
      std::this_thread::sleep_for(std::chrono::microseconds(200));  // the workers sleep
      std::atomic<bool> ready{false}, go{false};
      std::thread first([&] {
        for (ready = true; !go;) {
        }
        pool.release();
      });
      while (!ready) std::this_thread::yield();
      go = true;
      for (volatile int wait = 0; wait < round * 5; wait = wait + 1) {
      }
      pool.retain();
      pool.release();
      first.join();
    }
    return true;
  });
  pool.set_threads(1);
}

}  // namespace sk_test

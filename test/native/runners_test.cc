// Threads of asynchronous runs: every job once, the first in first, several at once but not too many, and an end that waits.
#include "../../native/core/runners.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "deadlock.h"
#include "harness.h"

namespace sk_test {
namespace {

using sk::Runners;

// Threads wait in it until it is opened.
class Gate {
 public:
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }
  void open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

void wait_for(const std::atomic<int>& count, int wanted) {
  while (count < wanted) std::this_thread::yield();
}

}  // namespace

void runners_suite() {
  check_ends("Runners: every job once, though they wait for each other", [] {
    Runners runners;
    std::atomic<int> done{0};
    for (int i = 0; i < 3000; ++i) {
      if (!runners.submit([&] { ++done; })) return false;
      if (i % 7 == 0) wait_for(done, i + 1);  // then all are idle
    }
    wait_for(done, 3000);
    return done == 3000;
  });
  check_ends("Runners: four jobs at once, the fifth waits", [] {
    Gate gate;
    std::atomic<int> begun{0}, done{0};
    Runners runners;
    const auto job = [&] {
      ++begun;
      gate.wait();
      ++done;
    };
    for (int i = 0; i < 4; ++i) runners.submit(job);
    wait_for(begun, 4);
    runners.submit(job);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const bool four = begun == 4;
    gate.open();
    wait_for(done, 5);
    return four;
  });
  check_ends("Runners: jobs that wait begin in their order", [] {
    Gate gate;
    std::atomic<int> begun{0}, done{0};
    std::mutex mutex;
    std::vector<int> order;
    Runners runners;
    for (int i = 0; i < 3; ++i) {
      runners.submit([&] {
        ++begun;
        gate.wait();
      });
    }
    Gate last;
    runners.submit([&] {
      ++begun;
      last.wait();
    });
    wait_for(begun, 4);
    for (int i = 0; i < 20; ++i) {
      runners.submit([&, i] {
        const std::lock_guard<std::mutex> lock(mutex);
        order.push_back(i);
        ++done;
      });
    }
    last.open();  // one thread for all twenty
    wait_for(done, 20);
    gate.open();
    bool sorted = true;
    for (int i = 0; i < 20; ++i) sorted &= order[static_cast<size_t>(i)] == i;
    return sorted;
  });
  check_ends("Runners: at the end of a job what it held is free, and its thread takes the next one", [] {
    Runners runners;
    std::thread::id first, last;
    auto held = std::make_shared<int>(1);
    bool freed = true, same = true;
    for (int i = 1; i <= 2000; ++i) {
      std::atomic<int> done{0};
      long held_then = 0;
      const bool submitted = runners.submit([held, &last] { last = std::this_thread::get_id(); },
                                            [&] {
                                              held_then = held.use_count();
                                              ++done;
                                            });
      if (!submitted) return false;
      wait_for(done, 1);
      if (i == 1) first = last;
      freed &= held_then == 1;
      same &= last == first;
    }
    return freed && same;
  });
  check_ends("Runners: stop() waits for what has begun, drops what waits and frees it", [] {
    std::atomic<int> begun{0}, done{0};
    std::atomic<bool> dropped{false};
    const auto held = std::make_shared<int>(1);
    {
      Runners runners;
      for (int i = 0; i < 4; ++i) {
        runners.submit([&] {
          ++begun;
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          ++done;
        });
      }
      wait_for(begun, 4);
      runners.submit([&, held] { dropped = true; });
      runners.stop();
      if (runners.submit([] {})) return false;
    }
    return done == 4 && !dropped && held.use_count() == 1;
  });
  check_ends("Runners: begin and end, again and again", [] {
    for (int i = 0; i < 200; ++i) {
      Runners runners;
      std::atomic<int> done{0};
      for (int job = 0; job < i % 6; ++job) runners.submit([&] { ++done; });
      if (i % 2) wait_for(done, i % 6);
      runners.stop();
    }
    return true;
  });
}

}  // namespace sk_test

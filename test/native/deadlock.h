// Checks of threads, which may never end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "harness.h"

namespace sk_test {

// A deadlock is a failed check, not a hanging test: the process ends, as nothing can free its threads.
inline void check_ends(const std::string& name, const std::function<bool()>& body) {
  at("%s", name.c_str());
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false, ok = false;
  std::thread thread([&] {
    const bool result = body();
    const std::lock_guard<std::mutex> lock(mutex);
    done = true, ok = result;
    ended.notify_one();
  });
  std::unique_lock<std::mutex> lock(mutex);
  if (!ended.wait_for(lock, std::chrono::seconds(20), [&] { return done; })) {
    check(false, name + ": deadlock");
    std::_Exit(1);
  }
  lock.unlock();
  thread.join();
  check(ok, name);
}

}  // namespace sk_test

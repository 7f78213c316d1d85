// The work of the device: one queue in the order of the calls, which is an order that streams and events allow, and one thread that does it
// while the host goes on.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace gpusim {

class Queue {
 public:
  static Queue& get();

  using Ticket = uint64_t;  // of a piece of work; those before it are done before it
  Ticket submit(std::function<void()> work);
  Ticket last() const;  // of what was submitted so far
  bool done(Ticket ticket) const;
  void wait(Ticket ticket);
  // A host function of cudaLaunchHostFunc calls the runtime, which it must not.
  static bool is_its_thread();

 private:
  Queue() = default;
  void run();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  Ticket submitted_ = 0, done_ = 0;
  bool running_ = false;
};

}  // namespace gpusim

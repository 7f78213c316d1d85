// Blocks over host threads. A host thread works on one block at a time, in the order of their numbers, so that a block may wait for an
// earlier one. Blocks of a cooperative launch, and those of a launch whose block seems to wait for a later one, take turns.
#include "launch.h"

#include <algorithm>
#include <list>
#include <memory>
#include <thread>

#include "block.h"

namespace gpusim {
namespace {

constexpr uint64_t kPatience = 100;  // turns of a block before it is supposed to wait for a later one

class Worker {
 public:
  Worker(Launch& launch, std::atomic<uint64_t>& next, uint64_t most) : launch_(launch), next_(next), most_(most) {}

  void run() {
    fill(launch_.cooperative ? most_ : 1);
    while (!blocks_.empty() && !launch_.stop.load(std::memory_order_relaxed)) {
      bool waiting = true;
      for (auto at = blocks_.begin(); at != blocks_.end() && !launch_.stop.load(std::memory_order_relaxed);) {
        Block& block = **at;
        if (step(block)) {
          waiting &= block.turns % kPatience == 0;
          ++at;
        } else {
          ++counters.blocks;
          at = blocks_.erase(at);
          waiting = false;
        }
      }
      if (blocks_.empty())
        fill(1);
      else if (waiting && blocks_.size() < most_)
        fill(blocks_.size() + 1);
    }
  }

  Counters counters;
  std::vector<Touched> touched;

 private:
  void fill(uint64_t count) {
    while (blocks_.size() < count) {
      const uint64_t index = next_.fetch_add(1);
      if (index >= launch_.blocks()) return;
      try {
        blocks_.push_back(std::make_unique<Block>(launch_, index, counters, touched));
      } catch (const Fault& fault) {
        record({fault.check, std::string(check_name(fault.check)) + ": " + fault.what() + "\n    in kernel " + launch_.kernel});
        return;
      }
    }
  }

  bool step(Block& block) {
    try {
      return block.step();
    } catch (const Fault& fault) {
      record({fault.check, block.describe_fault(fault)});
      return false;
    }
  }

  void record(FaultReport report) {
    const std::lock_guard<std::mutex> lock(launch_.mutex);
    if (launch_.faults.empty()) launch_.faults.push_back(std::move(report));
    launch_.stop = true;
  }

  Launch& launch_;
  std::atomic<uint64_t>& next_;
  const uint64_t most_;
  std::list<std::unique_ptr<Block>> blocks_;
};

}  // namespace

void run_launch(Launch& launch, int threads) {
  const uint64_t workers = std::max<uint64_t>(1, std::min<uint64_t>(static_cast<uint64_t>(std::max(threads, 1)), launch.blocks()));
  const uint64_t share = (launch.cooperative ? launch.blocks() : static_cast<uint64_t>(launch.resident_blocks)) / workers + 1;
  std::atomic<uint64_t> next{0};
  std::vector<std::unique_ptr<Worker>> all;
  for (uint64_t i = 0; i < workers; ++i) all.push_back(std::make_unique<Worker>(launch, next, share));
  std::vector<std::thread> others;
  for (uint64_t i = 1; i < workers; ++i) others.emplace_back([worker = all[i].get()] { worker->run(); });
  all[0]->run();
  for (std::thread& t : others) t.join();
  for (const auto& worker : all) {
    launch.counters.add(worker->counters);
    launch.touched.insert(launch.touched.end(), worker->touched.begin(), worker->touched.end());
  }
}

}  // namespace gpusim

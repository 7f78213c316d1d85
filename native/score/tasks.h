// Tasks of the thread pool that need scratch memory and may be cancelled.
#pragma once

#include <atomic>

#include "../core/memory.h"
#include "../core/parallel.h"
#include "score.h"

namespace sk {

// Calls body(task, scratch) for every task, each with so many floats of 64-byte aligned scratch.
template <class Body>
Status score_tasks(const ScoreOptions& o, int64_t tasks, int64_t scratch_floats, Body&& body) {
  std::atomic<bool> no_memory{false};
  const auto cancelled = [&] { return o.cancel != nullptr && o.cancel->load(std::memory_order_relaxed); };
  parallel_for(tasks, o.threads, [&](int64_t task, int) {
    if (cancelled() || no_memory.load(std::memory_order_relaxed)) return;
    auto* scratch = static_cast<float*>(thread_scratch(static_cast<size_t>(scratch_floats + 16) * sizeof(float)));
    if (scratch == nullptr) return no_memory.store(true, std::memory_order_relaxed);
    body(task, scratch);
  });
  if (no_memory.load()) return Status(Code::kMemory, "no memory for the scratch of a scoring");
  return cancelled() ? Status(Code::kAborted, "the run was aborted") : Status();
}

}  // namespace sk

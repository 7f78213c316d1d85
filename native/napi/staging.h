// Buffers of finished runs, kept for the next ones, which then do without page faults.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "../core/memory.h"

namespace sk::napi {

// Used on one environment's thread only.
class StagingPool {
 public:
  // The smallest idle buffer that holds so many bytes; an empty one where there is none or nothing is asked for.
  AlignedBuffer take(size_t bytes) {
    if (bytes == 0) return AlignedBuffer();
    auto best = idle_.end();
    for (auto it = idle_.begin(); it != idle_.end(); ++it)
      if (it->bytes() >= bytes && (best == idle_.end() || it->bytes() < best->bytes())) best = it;
    if (best == idle_.end()) return AlignedBuffer();
    AlignedBuffer buffer = std::move(*best);
    idle_.erase(best);
    return buffer;
  }

  // Keeps the last few buffers, unless they are large.
  void give(AlignedBuffer buffer) {
    constexpr size_t kMost = 6, kLargest = size_t{16} << 20;
    if (buffer.bytes() == 0 || buffer.bytes() > kLargest) return;
    if (idle_.size() == kMost) idle_.erase(idle_.begin());
    idle_.push_back(std::move(buffer));
  }

 private:
  std::vector<AlignedBuffer> idle_;
};

}  // namespace sk::napi

#include "stream_shadow.h"

#include <algorithm>

namespace gpusim {

void join(Clock& clock, const Clock& other) {
  for (const auto& [stream, number] : other) clock[stream] = std::max(clock[stream], number);
}

StreamShadow& StreamShadow::get() {
  static StreamShadow* shadow = new StreamShadow;  // a process may end while there is work
  return *shadow;
}

std::string StreamShadow::access(const StreamWork& work, const std::string& what, uint64_t allocation, uint64_t low, uint64_t high,
                                 bool write) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Entry>& entries = entries_[allocation];
  const auto ordered = [&](const Entry& e) {
    const auto done = work.before.find(e.stream);
    return e.stream == work.stream || (done != work.before.end() && done->second >= e.number);
  };
  for (const Entry& e : entries) {
    if (ordered(e) || e.high <= low || e.low >= high || !(write || e.write)) continue;
    return what + " on stream " + std::to_string(work.stream) + (write ? " writes" : " reads") + " what " + e.what + " on stream " +
           std::to_string(e.stream) + (e.write ? " wrote" : " read") + ", and nothing orders the two";
  }
  const auto stood_for = [&](const Entry& e) { return ordered(e) && e.low >= low && e.high <= high && (write || !e.write); };
  entries.erase(std::remove_if(entries.begin(), entries.end(), stood_for), entries.end());
  entries.push_back({work.stream, work.number, low, high, write, what});
  return "";
}

void StreamShadow::forget(uint64_t allocation) {
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.erase(allocation);
}

}  // namespace gpusim

#include "counters.h"

namespace gpusim {

const char* class_name(Class c) {
  static const char* const names[] = {"integer",      "logic",        "float32",       "float64",    "half",        "convert",
                                      "move",         "compare",      "special",       "control",    "barrier",     "load_global",
                                      "store_global", "load_shared",  "store_shared",  "load_local", "store_local", "load_const",
                                      "load_param",   "load_generic", "store_generic", "atomic",     "async_copy",  "matrix_load",
                                      "tensor",       "shuffle",      "vote",          "fence"};
  return names[static_cast<int>(c)];
}

void Counters::add(const Counters& o) {
  for (int i = 0; i < kClasses; ++i) {
    warp_instructions[i] += o.warp_instructions[i];
    thread_instructions[i] += o.thread_instructions[i];
  }
  const auto add_traffic = [](Traffic& to, const Traffic& from) {
    to.requests += from.requests;
    to.sectors += from.sectors;
    to.bytes += from.bytes;
  };
  add_traffic(global_loads, o.global_loads);
  add_traffic(global_stores, o.global_stores);
  add_traffic(global_atomics, o.global_atomics);
  divergent_branches += o.divergent_branches;
  branches += o.branches;
  blocks += o.blocks;
  shared_requests += o.shared_requests;
  shared_wavefronts += o.shared_wavefronts;
  shared_ideal_wavefronts += o.shared_ideal_wavefronts;
  unique_sectors_read += o.unique_sectors_read;
  unique_sectors_written += o.unique_sectors_written;
  async_bytes += o.async_bytes;
  tensor_macs += o.tensor_macs;
  for (const auto& [key, value] : o.tensor) {
    auto& mine = tensor[key];
    mine.first = value.first;
    mine.second += value.second;
  }
}

uint64_t Counters::threads_total() const {
  uint64_t sum = 0;
  for (uint64_t n : thread_instructions) sum += n;
  return sum;
}

uint64_t Counters::warps_total() const {
  uint64_t sum = 0;
  for (uint64_t n : warp_instructions) sum += n;
  return sum;
}

}  // namespace gpusim

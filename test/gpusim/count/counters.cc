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

const char* shared_port_name(SharedPort port) {
  static const char* const names[] = {"load", "store", "ldmatrix", "stmatrix", "async_copy", "atomic"};
  return names[static_cast<int>(port)];
}

void Traffic::add(const Traffic& o) {
  requests += o.requests;
  sectors += o.sectors;
  excess_sectors += o.excess_sectors;
  bytes += o.bytes;
  for (int i = 0; i < kWidths; ++i) by_width[i] += o.by_width[i];
}

void SharedTraffic::add(const SharedTraffic& o) {
  requests += o.requests;
  wavefronts += o.wavefronts;
  ideal_wavefronts += o.ideal_wavefronts;
}

void Counters::add(const Counters& o) {
  for (int i = 0; i < kClasses; ++i) {
    warp_instructions[i] += o.warp_instructions[i];
    thread_instructions[i] += o.thread_instructions[i];
  }
  global_loads.add(o.global_loads);
  global_stores.add(o.global_stores);
  global_atomics.add(o.global_atomics);
  for (int i = 0; i < static_cast<int>(SharedPort::kCount); ++i) shared[i].add(o.shared[i]);
  divergent_branches += o.divergent_branches;
  branches += o.branches;
  blocks += o.blocks;
  unique_sectors_read += o.unique_sectors_read;
  unique_sectors_written += o.unique_sectors_written;
  async_bytes += o.async_bytes;
  tensor_macs += o.tensor_macs;
  for (const auto& [key, value] : o.tensor) {
    auto& mine = tensor[key];
    mine.first = value.first;
    mine.second += value.second;
  }
  for (const auto& [code, list] : o.spots) {
    Spot* mine = spots_of(code, list.size());
    for (const Spot& spot : list) {
      mine->executions += spot.executions;
      mine->bank_conflicts += spot.bank_conflicts;
      mine++->excess_sectors += spot.excess_sectors;
    }
  }
}

Spot* Counters::spots_of(const void* code, size_t instructions) {
  std::vector<Spot>& list = spots[code];
  list.resize(instructions);
  return list.data();
}

SharedTraffic Counters::shared_total() const {
  SharedTraffic sum;
  for (const SharedTraffic& port : shared) sum.add(port);
  return sum;
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

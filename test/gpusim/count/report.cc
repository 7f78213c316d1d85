#include "report.h"

#include <cinttypes>
#include <cstdio>
#include <vector>

namespace gpusim {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}
std::string number(uint64_t value) { return std::to_string(value); }

class Object {
 public:
  Object& text(const char* key, const std::string& value) { return raw(key, quoted(value)); }
  template <class T>
  Object& value(const char* key, T v) {
    return raw(key, number(v));
  }
  Object& raw(const std::string& key, const std::string& json) {
    body_ += (body_.empty() ? "" : ", ") + quoted(key) + ": " + json;
    return *this;
  }
  std::string json() const { return "{" + body_ + "}"; }

 private:
  std::string body_;
};

std::string traffic(const Traffic& t) {
  const double ideal = static_cast<double>(t.bytes) / 32;
  return Object()
      .value("requests", t.requests)
      .value("sectors", t.sectors)
      .value("bytes", t.bytes)
      .value("sectors_per_request", t.requests ? static_cast<double>(t.sectors) / static_cast<double>(t.requests) : 0.0)
      .value("efficiency", t.sectors ? ideal / static_cast<double>(t.sectors) : 0.0)
      .json();
}

std::string triple(const uint32_t* v) {
  return "[" + std::to_string(v[0]) + ", " + std::to_string(v[1]) + ", " + std::to_string(v[2]) + "]";
}

std::string launch_json(const LaunchFacts& f) {
  const Counters& c = *f.counters;
  Object classes, tensor;
  for (int i = 0; i < Counters::kClasses; ++i)
    if (c.warp_instructions[i]) classes.value(class_name(static_cast<Class>(i)), c.thread_instructions[i]);
  std::map<std::string, uint64_t> by_name;
  for (const auto& [key, value] : c.tensor) by_name[value.first] += value.second;
  for (const auto& [name, times] : by_name) tensor.value(name.c_str(), times);
  const uint64_t threads = c.threads_total(), warps = c.warps_total();
  const uint64_t block = uint64_t{f.block[0]} * f.block[1] * f.block[2];
  const double occupancy = static_cast<double>(f.blocks_per_sm) * static_cast<double>((block + 31) / 32 * 32) / f.threads_per_sm;
  return Object()
      .text("kernel", f.kernel)
      .text("device", f.device)
      .raw("grid", triple(f.grid))
      .raw("block", triple(f.block))
      .value("thread_instructions", threads)
      .value("warp_instructions", warps)
      .raw("thread_instructions_by_class", classes.json())
      .raw("tensor_instructions", tensor.json())
      .value("tensor_multiply_adds", c.tensor_macs)
      .raw("global_loads", traffic(c.global_loads))
      .raw("global_stores", traffic(c.global_stores))
      .raw("global_atomics", traffic(c.global_atomics))
      .value("compulsory_bytes_read", c.unique_sectors_read * 32)
      .value("compulsory_bytes_written", c.unique_sectors_written * 32)
      .value("async_copy_bytes", c.async_bytes)
      .raw("shared", Object()
                         .value("requests", c.shared_requests)
                         .value("wavefronts", c.shared_wavefronts)
                         .value("bank_conflicts", c.shared_wavefronts - c.shared_ideal_wavefronts)
                         .json())
      .raw("divergence", Object()
                             .value("branches", c.branches)
                             .value("divergent_branches", c.divergent_branches)
                             .value("active_lanes_per_instruction", warps ? static_cast<double>(threads) / static_cast<double>(warps) : 0.0)
                             .json())
      .raw("occupancy", Object()
                            .value("registers_per_thread", static_cast<uint64_t>(f.registers))
                            .text("registers_from", f.registers_from_ptxas ? "ptxas" : "estimate")
                            .value("static_shared_bytes", static_cast<uint64_t>(f.static_shared))
                            .value("dynamic_shared_bytes", static_cast<uint64_t>(f.dynamic_shared))
                            .value("blocks_per_multiprocessor", static_cast<uint64_t>(f.blocks_per_sm))
                            .value("fraction", occupancy)
                            .text("limited_by", f.limit)
                            .json())
      .value("simulation_seconds", f.seconds)
      .json();
}

}  // namespace

void append_report(const std::string& file, const LaunchFacts& facts) {
  FILE* out = std::fopen(file.c_str(), "r+");
  if (out) {
    std::fseek(out, -3, SEEK_END);  // over "\n]\n"
    std::fputs(",\n", out);
  } else {
    out = std::fopen(file.c_str(), "w");
    if (!out) {
      std::fprintf(stderr, "gpusim: GPUSIM_REPORT: cannot write %s\n", file.c_str());
      return;
    }
    std::fputs("[\n", out);
  }
  std::fputs((launch_json(facts) + "\n]\n").c_str(), out);
  std::fclose(out);
}

}  // namespace gpusim

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

std::string array(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return "[" + out + "]";
}

std::string traffic(const Traffic& t) {
  const double ideal = static_cast<double>(t.bytes) / 32;
  Object widths;
  for (int i = 0; i < Traffic::kWidths; ++i)
    if (t.by_width[i]) widths.value(std::to_string(1 << i).c_str(), t.by_width[i]);
  return Object()
      .value("requests", t.requests)
      .raw("requests_by_bytes_per_thread", widths.json())
      .value("sectors", t.sectors)
      .value("excess_sectors", t.excess_sectors)
      .value("bytes", t.bytes)
      .value("sectors_per_request", t.requests ? static_cast<double>(t.sectors) / static_cast<double>(t.requests) : 0.0)
      .value("efficiency", t.sectors ? ideal / static_cast<double>(t.sectors) : 0.0)
      .json();
}

Object shared_traffic(const SharedTraffic& t) {
  return Object()
      .value("requests", t.requests)
      .value("wavefronts", t.wavefronts)
      .value("bank_conflicts", t.wavefronts - t.ideal_wavefronts);
}

std::string shared(const Counters& c) {
  Object ports;
  for (int i = 0; i < static_cast<int>(SharedPort::kCount); ++i)
    if (c.shared[i].requests) ports.raw(shared_port_name(static_cast<SharedPort>(i)), shared_traffic(c.shared[i]).json());
  return shared_traffic(c.shared_total()).raw("by_port", ports.json()).json();
}

std::string by_class(const uint64_t* counts) {
  Object classes;
  for (int i = 0; i < Counters::kClasses; ++i)
    if (counts[i]) classes.value(class_name(static_cast<Class>(i)), counts[i]);
  return classes.json();
}

std::string loop(const LoopFacts& f) {
  uint64_t total = 0;
  for (uint64_t n : f.warp_instructions) total += n;
  const uint64_t tensor = f.warp_instructions[static_cast<int>(Class::kTensor)];
  Object out;
  out.text("function", f.function)
      .text("file", f.file)
      .raw("lines", "[" + std::to_string(f.first_line) + ", " + std::to_string(f.last_line) + "]")
      .raw("ptx_lines", "[" + std::to_string(f.first_ptx_line) + ", " + std::to_string(f.last_ptx_line) + "]")
      .value("depth", static_cast<uint64_t>(f.depth))
      .raw("innermost", f.innermost ? "true" : "false")
      .value("iterations", f.iterations)
      .value("warp_instructions", total)
      .raw("warp_instructions_by_class", by_class(f.warp_instructions));
  if (tensor) out.value("others_per_tensor_instruction", static_cast<double>(total - tensor) / static_cast<double>(tensor));
  return out.json();
}

std::string line(const LineFacts& f) {
  return Object().text("line", f.line).value("bank_conflicts", f.bank_conflicts).value("excess_sectors", f.excess_sectors).json();
}

std::string triple(const uint32_t* v) {
  return "[" + std::to_string(v[0]) + ", " + std::to_string(v[1]) + ", " + std::to_string(v[2]) + "]";
}

std::string launch_json(const LaunchFacts& f) {
  const Counters& c = *f.counters;
  Object tensor;
  std::vector<std::string> loops, lines;
  for (const LoopFacts& l : f.loops) loops.push_back(loop(l));
  for (const LineFacts& l : f.lines) lines.push_back(line(l));
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
      .raw("thread_instructions_by_class", by_class(c.thread_instructions))
      .raw("warp_instructions_by_class", by_class(c.warp_instructions))
      .raw("tensor_instructions", tensor.json())
      .value("tensor_multiply_adds", c.tensor_macs)
      .raw("global_loads", traffic(c.global_loads))
      .raw("global_stores", traffic(c.global_stores))
      .raw("global_atomics", traffic(c.global_atomics))
      .value("compulsory_bytes_read", c.unique_sectors_read * 32)
      .value("compulsory_bytes_written", c.unique_sectors_written * 32)
      .value("async_copy_bytes", c.async_bytes)
      .raw("shared", shared(c))
      .raw("divergence", Object()
                             .value("branches", c.branches)
                             .value("divergent_branches", c.divergent_branches)
                             .value("active_lanes_per_instruction", warps ? static_cast<double>(threads) / static_cast<double>(warps) : 0.0)
                             .json())
      .raw("occupancy", Object()
                            .value("registers_per_thread", static_cast<uint64_t>(f.registers))
                            .text("registers_from", f.registers_from_ptxas ? "ptxas" : "estimate")
                            .value("spilled_bytes", static_cast<uint64_t>(f.spilled_bytes))
                            .value("static_shared_bytes", static_cast<uint64_t>(f.static_shared))
                            .value("dynamic_shared_bytes", static_cast<uint64_t>(f.dynamic_shared))
                            .value("blocks_per_multiprocessor", static_cast<uint64_t>(f.blocks_per_sm))
                            .value("fraction", occupancy)
                            .text("limited_by", f.limit)
                            .json())
      .raw("loops", array(loops))
      .raw("inefficient_lines", array(lines))
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

#include "builtins.h"

#include <cstdio>
#include <mutex>

#include "../memory/device_memory.h"
#include "access.h"

namespace gpusim {
namespace {

constexpr size_t kMaxText = 1 << 16;

uint64_t argument(Warp& w, const CallLayout& layout, int lane, size_t i, size_t bytes) {
  uint64_t value = 0;
  if (i >= layout.arguments.size() || layout.argument_bytes[i] < bytes)
    throw Fault(Check::kInstruction, lane, "a built-in function with too few or too small arguments");
  std::memcpy(&value, w.local(lane, w.split().frame->local_base + layout.arguments[i]), bytes);
  return value;
}

void result(Warp& w, const CallLayout& layout, int lane, uint64_t value, size_t bytes) {
  if (layout.results.empty() || layout.result_bytes[0] < bytes) return;
  std::memcpy(w.local(lane, w.split().frame->local_base + layout.results[0]), &value, bytes);
}

uint8_t byte_at(Warp& w, int lane, uint64_t address) {
  Inst generic;
  generic.source = w.inst()->source;
  return *resolve(w, generic, lane, address, 1, Access::kRead);
}

std::string text_at(Warp& w, int lane, uint64_t address) {
  std::string text;
  for (uint8_t c; text.size() < kMaxText && (c = byte_at(w, lane, address)) != 0; ++address) text += static_cast<char>(c);
  return text;
}

// Arguments lie one after the other, aligned to their size: 4 bytes for int, 8 for long, pointers and double.
int print(Warp& w, int lane, const std::string& format, uint64_t arguments) {
  std::string out;
  int count = 0;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    std::string spec = "%";
    int longs = 0;
    const auto fetch = [&](size_t bytes) {
      arguments = (arguments + bytes - 1) / bytes * bytes;
      uint64_t value = 0;
      for (size_t b = 0; b < bytes; ++b) value |= uint64_t{byte_at(w, lane, arguments + b)} << 8 * b;
      arguments += bytes;
      return value;
    };
    for (++i; i < format.size(); ++i) {
      const char c = format[i];
      if (c == '*') {
        spec += std::to_string(static_cast<int>(fetch(4)));
        continue;
      }
      if (c == 'l' || c == 'z' || c == 'j' || c == 't') {
        longs = 2;
        continue;
      }
      if (c == 'h') continue;
      if (std::strchr("-+ #0123456789.", c)) {
        spec += c;
        continue;
      }
      char buffer[512];
      ++count;
      if (c == '%') {
        out += '%';
        --count;
      } else if (std::strchr("diouxXc", c)) {
        const uint64_t bits = fetch(longs ? 8 : 4);
        const bool s = c == 'd' || c == 'i';
        spec += c == 'c' ? "c" : std::string("ll") + c;
        if (c == 'c')
          std::snprintf(buffer, sizeof buffer, spec.c_str(), static_cast<int>(bits));
        else
          std::snprintf(buffer, sizeof buffer, spec.c_str(),
                        s && !longs ? static_cast<long long>(static_cast<int32_t>(bits)) : static_cast<long long>(bits));
        out += buffer;
      } else if (std::strchr("eEfFgGaA", c)) {
        const uint64_t bits = fetch(8);
        double value;
        std::memcpy(&value, &bits, 8);
        std::snprintf(buffer, sizeof buffer, (spec + c).c_str(), value);
        out += buffer;
      } else if (c == 's') {
        std::snprintf(buffer, sizeof buffer, (spec + c).c_str(), text_at(w, lane, fetch(8)).c_str());
        out += buffer;
      } else if (c == 'p') {
        std::snprintf(buffer, sizeof buffer, "%p", reinterpret_cast<void*>(fetch(8)));
        out += buffer;
      } else {
        out += spec + c;
      }
      break;
    }
  }
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  std::fwrite(out.data(), 1, out.size(), stdout);
  return count;
}

}  // namespace

bool is_builtin(std::string_view name) { return name == "vprintf" || name == "malloc" || name == "free" || name == "__assertfail"; }

void call_builtin(Warp& w, const Function& callee, const CallLayout& layout, Mask active) {
  for (int lane = 0; lane < kLanes; ++lane) {
    if (!(active >> lane & 1)) continue;
    if (callee.name == "vprintf") {
      const std::string format = text_at(w, lane, argument(w, layout, lane, 0, 8));
      result(w, layout, lane, static_cast<uint64_t>(print(w, lane, format, argument(w, layout, lane, 1, 8))), 4);
    } else if (callee.name == "malloc") {
      const uint64_t bytes = argument(w, layout, lane, 0, 8);
      result(w, layout, lane, reinterpret_cast<uint64_t>(DeviceMemory::get().allocate(bytes, MemoryKind::kHeap)), 8);
    } else if (callee.name == "free") {
      void* pointer = reinterpret_cast<void*>(argument(w, layout, lane, 0, 8));
      if (pointer &&
          DeviceMemory::get().free(pointer, [](MemoryKind kind) { return kind == MemoryKind::kHeap; }) != DeviceMemory::Freed::kOk)
        throw Fault(
            Check::kHeap, lane,
            "free of a pointer that malloc did not give, or twice: " + DeviceMemory::get().describe(reinterpret_cast<uint64_t>(pointer)));
    } else if (callee.name == "__assertfail") {
      const std::string what = text_at(w, lane, argument(w, layout, lane, 0, 8)), file = text_at(w, lane, argument(w, layout, lane, 1, 8));
      throw Fault(Check::kAssert, lane,
                  "assertion `" + what + "` failed in " + file + ":" + std::to_string(argument(w, layout, lane, 2, 4)));
    } else {
      throw Fault(Check::kInstruction, lane, "call of '" + std::string(callee.name) + "', which has no body");
    }
  }
}

}  // namespace gpusim

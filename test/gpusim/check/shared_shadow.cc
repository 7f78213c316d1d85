#include "shared_shadow.h"

#include <algorithm>

namespace gpusim {
namespace {

// Bits of the bytes of word `word` that [offset, offset + bytes) has.
uint8_t byte_mask(uint32_t word, uint32_t offset, uint32_t bytes) {
  const uint32_t start = word * 4, first = std::max(offset, start) - start, last = std::min(offset + bytes, start + 4) - start;
  return static_cast<uint8_t>(((1u << last) - 1) & ~((1u << first) - 1));
}

}  // namespace

SharedShadow::SharedShadow(size_t bytes, int warps, const Checks& checks)
    : words_((bytes + 3) / 4), seen_(static_cast<size_t>(warps * warps), 0), warps_(warps), checks_(checks) {
  for (int w = 0; w < warps; ++w) seen_[static_cast<size_t>(w * warps + w)] = now_;
}

bool SharedShadow::ordered(uint32_t time, uint32_t epoch, int thread, const SharedAccess& by) const {
  const int warp = thread / 32;
  if (warp == by.warp) return thread % 32 == by.lane || epoch != by.warp_epoch;
  return time < seen_[static_cast<size_t>(by.warp * warps_ + warp)];
}

void SharedShadow::race(const char* what, uint32_t offset, int thread, uint32_t pc, const char* earlier, const SharedAccess& by) const {
  throw Fault(Check::kRace, by.lane,
              std::string("race in shared memory: ") + what + " at shared offset " + std::to_string(offset) +
                  " without a barrier after the " + earlier + " by " +
                  (locate ? locate(context, thread / 32, thread % 32, pc) : std::string("another thread")));
}

void SharedShadow::read(uint32_t offset, uint32_t bytes, const SharedAccess& by) {
  for (uint32_t i = offset / 4; i * 4 < offset + bytes; ++i) {
    Word& w = words_[i];
    const uint8_t mask = byte_mask(i, offset, bytes);
    if (w.pending & mask && checks_.async)
      throw Fault(Check::kAsync, by.lane,
                  "read of cp.async data before its wait, at shared offset " + std::to_string(offset) + ", copied by " +
                      (locate ? locate(context, w.writer / 32, w.writer % 32, w.write_pc) : std::string("another thread")));
    if (checks_.race && w.written & mask && !(w.strong_write && by.strong) && !ordered(w.write_time, w.write_epoch, w.writer, by))
      race("read", offset, w.writer, w.write_pc, "write", by);
    if (checks_.uninit && (w.initialised & mask) != mask)
      throw Fault(Check::kUninit, by.lane, "read of uninitialised shared memory at shared offset " + std::to_string(offset));
    const uint32_t now = seen_[static_cast<size_t>(by.warp * warps_ + by.warp)];
    const int thread = by.warp * 32 + by.lane;
    bool keep = false;  // earlier readers that this one has not seen
    if (w.read && w.readers != 1u << by.warp)
      for (int u = 0; u < warps_; ++u)
        if (u != by.warp && w.readers >> u & 1 && w.read_time >= seen_[static_cast<size_t>(by.warp * warps_ + u)]) keep = true;
    const bool same_moment = w.read_time == now && w.read_epoch == by.warp_epoch && w.reader / 32 == by.warp;
    w.readers = (keep ? w.readers : 0) | 1u << by.warp;
    w.strong_read = by.strong && (w.strong_read || !(w.read));
    w.read = static_cast<uint8_t>((keep || same_moment ? w.read : 0) | mask);
    w.read_time = now;
    w.read_epoch = by.warp_epoch;
    w.read_pc = by.pc;
    w.reader = static_cast<uint16_t>(thread);
  }
}

void SharedShadow::write(uint32_t offset, uint32_t bytes, const SharedAccess& by, bool changes) {
  const int thread = by.warp * 32 + by.lane;
  const uint32_t now = seen_[static_cast<size_t>(by.warp * warps_ + by.warp)];
  for (uint32_t i = offset / 4; i * 4 < offset + bytes; ++i) {
    Word& w = words_[i];
    const uint8_t mask = byte_mask(i, offset, bytes);
    if (w.pending & mask && checks_.async)
      throw Fault(Check::kAsync, by.lane,
                  "write over cp.async data that is under way, at shared offset " + std::to_string(offset) + ", copied by " +
                      (locate ? locate(context, w.writer / 32, w.writer % 32, w.write_pc) : std::string("another thread")));
    if (checks_.race) {
      const bool same_instruction = w.writer / 32 == by.warp && w.write_pc == by.pc && w.write_epoch == by.warp_epoch;
      if (changes && w.written & mask && !(w.strong_write && by.strong) && !same_instruction &&
          !ordered(w.write_time, w.write_epoch, w.writer, by))
        race("write", offset, w.writer, w.write_pc, "write", by);
      if (changes && w.read & mask && !(w.strong_read && by.strong)) {
        if (!ordered(w.read_time, w.read_epoch, w.reader, by)) race("write", offset, w.reader, w.read_pc, "read", by);
        for (int u = 0; u < warps_; ++u)
          if (u != by.warp && w.readers >> u & 1 && w.read_time >= seen_[static_cast<size_t>(by.warp * warps_ + u)])
            race("write", offset, u * 32, w.read_pc, "read", by);
      }
    }
    if (w.write_time != now || w.writer != thread) w.written = 0;
    w.written |= mask;
    w.initialised |= mask;
    w.write_time = now;
    w.write_epoch = by.warp_epoch;
    w.write_pc = by.pc;
    w.writer = static_cast<uint16_t>(thread);
    w.strong_write = by.strong;
    w.read &= static_cast<uint8_t>(~mask);
    if (!w.read) w.readers = 0;
  }
}

void SharedShadow::async_start(uint32_t offset, uint32_t bytes, const SharedAccess& by) {
  write(offset, bytes, by, true);  // races like a write
  for (uint32_t i = offset / 4; i * 4 < offset + bytes; ++i) words_[i].pending |= byte_mask(i, offset, bytes);
}

void SharedShadow::async_done(uint32_t offset, uint32_t bytes, const SharedAccess& by) {
  for (uint32_t i = offset / 4; i * 4 < offset + bytes; ++i) words_[i].pending &= static_cast<uint8_t>(~byte_mask(i, offset, bytes));
  write(offset, bytes, by, false);
}

void SharedShadow::synchronise(uint32_t warps) {
  const size_t n = static_cast<size_t>(warps_);
  ++now_;
  std::vector<uint32_t> joined(n, 0);
  for (size_t w = 0; w < n; ++w)
    if (warps >> w & 1)
      for (size_t u = 0; u < n; ++u) joined[u] = std::max(joined[u], seen_[w * n + u]);
  for (size_t w = 0; w < n; ++w)
    if (warps >> w & 1)
      for (size_t u = 0; u < n; ++u) seen_[w * n + u] = warps >> u & 1 ? now_ : joined[u];
}

}  // namespace gpusim

// cp.async: a copy from global to shared memory whose data may be used after its wait only. The source is read when the copy starts; the
// shared memory is written when the thread waits for it.
#include "../memory/device_memory.h"
#include "access.h"
#include "build.h"

namespace gpusim {
namespace {

// refs: shared address, global address, bytes to read, ignore-source predicate. in.bytes: of the copy; in.target: offset of the source.
void run_copy(Warp& w, const Inst& in, Mask active) {
  Block& block = w.block;
  Inst source = in;
  source.space = Space::kGlobal;
  source.imm = in.target;
  source.wide_src = in.c;
  Inst to = in;
  to.space = Space::kShared;
  to.wide_src = in.b;
  if (block.launch.count_memory) {
    Mask reading = active & ~w.predicate(in.refs[3]);
    for (int lane = 0; lane < kLanes; ++lane)
      if (w.src<uint32_t>(in.refs[2])[lane] == 0) reading &= ~(1u << lane);
    count_access(w, source, in.refs[1], reading, in.bytes, Access::kRead);
    count_access(w, to, in.refs[0], active, in.bytes, Access::kWrite);
  }
  const Mask ignore = w.predicate(in.refs[3]);
  for (int lane = 0; lane < kLanes; ++lane) {
    if (!(active >> lane & 1)) continue;
    AsyncCopy copy = {};
    copy.lane = lane;
    copy.bytes = in.bytes;
    copy.pc = w.pc_for_reports();
    uint64_t address = lane_address(w, to, in.refs[0], lane);
    if ((address & kWindowMask) == kSharedWindow) address &= ~kWindowMask;
    resolve(w, to, lane, address, in.bytes, Access::kWrite);
    copy.offset = static_cast<uint32_t>(address);
    uint32_t read = w.src<uint32_t>(in.refs[2])[lane];
    if (read > in.bytes) throw Fault(Check::kInstruction, lane, "cp.async reads more bytes than it writes");
    if (ignore >> lane & 1) read = 0;
    const uint64_t from = lane_address(w, source, in.refs[1], lane);
    if (read == in.bytes) {
      std::memcpy(copy.data, resolve(w, source, lane, from, read, Access::kRead), read);
    } else {
      for (uint32_t i = 0; i < read; ++i) copy.data[i] = *resolve(w, source, lane, from + i, 1, Access::kRead);  // the rest is zero
    }
    w.counters.async_bytes += in.bytes;
    if (block.shadow) block.shadow->async_start(copy.offset, copy.bytes, shared_access(w, in, lane));
    w.copies.push_back(copy);
  }
}

void finish(Warp& w, const std::vector<AsyncCopy>& copies) {
  for (const AsyncCopy& copy : copies) {
    std::memcpy(w.block.shared + copy.offset, copy.data, copy.bytes);
    if (w.block.shadow) w.block.shadow->async_done(copy.offset, copy.bytes, {w.index, copy.lane, w.epoch, copy.pc, false});
  }
}

// Copies of the lane that are not yet in a group.
std::vector<AsyncCopy> take(Warp& w, int lane) {
  std::vector<AsyncCopy> mine;
  size_t kept = 0;
  for (const AsyncCopy& copy : w.copies) {
    if (copy.lane == lane)
      mine.push_back(copy);
    else
      w.copies[kept++] = copy;
  }
  w.copies.resize(kept);
  return mine;
}

void run_commit(Warp& w, const Inst&, Mask active) {
  std::vector<AsyncCopy> by_lane[kLanes];
  size_t kept = 0;
  for (const AsyncCopy& copy : w.copies) {
    if (active >> copy.lane & 1)
      by_lane[copy.lane].push_back(copy);
    else
      w.copies[kept++] = copy;
  }
  w.copies.resize(kept);
  for (int lane = 0; lane < kLanes; ++lane)
    if (active >> lane & 1) w.groups[lane].push_back(std::move(by_lane[lane]));
}

// in.imm: groups that may still be under way; -1: wait_all, also for what is in no group.
void run_wait(Warp& w, const Inst& in, Mask active) {
  for (int lane = 0; lane < kLanes; ++lane) {
    if (!(active >> lane & 1)) continue;
    auto& groups = w.groups[lane];
    const size_t keep = in.imm < 0 ? 0 : static_cast<size_t>(in.imm);
    while (groups.size() > keep) {
      finish(w, groups.front());
      groups.erase(groups.begin());
    }
    if (in.imm < 0) finish(w, take(w, lane));
  }
}

}  // namespace

bool select_async(Build& b) {
  if (b.words.base() != "cp") return false;
  Inst& in = b.inst;
  in.cls = Class::kAsyncCopy;
  if (!b.words.has("async")) b.fail("unknown instruction");
  if (b.words.has("bulk")) b.fail("bulk copies are not supported");
  if (b.words.has("mbarrier")) b.fail("cp.async.mbarrier is not supported");
  if (b.words.has("commit_group")) {
    in.run = run_commit;
    return true;
  }
  if (b.words.has("wait_group") || b.words.has("wait_all")) {
    in.imm = b.operands() ? b.integer(0) : -1;
    in.run = run_wait;
    return true;
  }
  const bool cg = b.words.one_of({"ca", "cg"}) == 1;
  b.words.has("shared"), b.words.has("shared::cta"), b.words.has("global");
  b.words.starts("L2::");
  b.expect_operands(3, 5);
  const int64_t bytes = b.integer(2);
  if (bytes != 16 && (cg || (bytes != 4 && bytes != 8))) b.fail("copies of " + std::to_string(bytes) + " bytes do not exist");
  in.bytes = static_cast<uint8_t>(bytes);
  in.run = run_copy;
  b.address(b.operand(1), Space::kGlobal);
  const Ref global = b.refs[0];
  const Registers::Use global_use = b.uses[0];
  const int64_t offset = in.imm;
  in.c = in.wide_src;
  if (offset < INT32_MIN || offset > INT32_MAX) b.fail("the offset of the source is too large");
  in.target = static_cast<int32_t>(offset);
  b.refs.clear(), b.uses.clear();
  b.address(b.operand(0), Space::kShared);
  in.b = in.wide_src;
  b.refs.push_back(global), b.uses.push_back(global_use);
  const bool fourth = b.operands() > 3, predicate = fourth && b.register_type(b.operand(3)) == Type::kPred;
  if (fourth && !predicate && !b.words.has("cache_hint"))
    b.src(3, Type::kU32);
  else
    b.constant(static_cast<uint64_t>(bytes), 32);
  if (predicate)
    b.predicate_src(b.operand(3));
  else
    b.constant(0, 32);
  return true;
}

}  // namespace gpusim

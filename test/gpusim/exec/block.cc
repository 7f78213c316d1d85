#include "block.h"

#include <cstdio>

namespace gpusim {
namespace {

constexpr uint64_t kSlice = 20000;  // instructions of a warp before the next one has its turn

std::string locate_access(const void* context, int warp, int lane, uint32_t pc) {
  const Block& block = *static_cast<const Block*>(context);
  const auto& code = block.launch.code->function->code;
  std::string text = block.thread_name(warp, lane);
  if (pc < code.size() && code[pc].line) text += " at line " + std::to_string(code[pc].line);
  return text;
}

}  // namespace

Block::Block(Launch& launch, uint64_t index, Counters& counters, std::vector<Touched>& touched)
    : launch(launch), counters(counters), touched(touched), index(index) {
  id[0] = static_cast<uint32_t>(index % launch.grid[0]);
  id[1] = static_cast<uint32_t>(index / launch.grid[0] % launch.grid[1]);
  id[2] = static_cast<uint32_t>(index / launch.grid[0] / launch.grid[1]);
  shared_bytes = launch.static_shared + launch.dynamic_shared;
  shared_memory.resize(shared_bytes + 1024);
  shared = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(shared_memory.data()) + 1023) & ~uintptr_t{1023});
  const int threads = launch.threads_per_block(), count = (threads + 31) / 32;
  const Checks& c = launch.checks;
  if (shared_bytes && (c.race || c.uninit || c.async)) {
    shadow = std::make_unique<SharedShadow>(shared_bytes, count, c);
    shadow->locate = locate_access;
    shadow->context = this;
  }
  for (int w = 0; w < count; ++w) {
    const int lanes = threads - w * 32;
    warps.push_back(std::make_unique<Warp>(*this, w, lanes >= 32 ? kFullMask : (1u << lanes) - 1));
  }
  for (Barrier& b : barriers) b.arrived.assign(warps.size(), 0);
}

bool Block::step() {
  bool moved = false, alive = false;
  const uint64_t before = counters.warps_total();
  ++turns;
  for (auto& warp : warps) {
    if (warp->done()) continue;
    running = warp.get();
    moved |= warp->run(kSlice);
    alive |= !warp->done();
  }
  running = nullptr;
  const uint64_t spent = launch.spent.fetch_add(counters.warps_total() - before) + counters.warps_total() - before;
  if (launch.limit && spent > launch.limit) throw Fault(Check::kTimeout, -1, "the launch ran longer than GPUSIM_LIMIT instructions");
  if (!alive) return false;
  if (!moved) {
    std::string who;
    int named = 0;
    for (auto& warp : warps)
      for (const Split& s : warp->splits)
        if (named++ < 4) who += (who.empty() ? "" : "; ") + warp->describe_wait(s);
    throw Fault(Check::kBarrier, -1, "divergent barrier: threads wait for others that never come: " + who + (named > 4 ? "; ..." : ""));
  }
  return true;
}

void Block::arrive(Warp& warp, int id, int expected, Mask lanes, bool wait) {
  Barrier& b = barriers[id];
  if (b.in_use && b.expected != expected)
    throw Fault(Check::kBarrier, -1,
                "barrier " + std::to_string(id) + " used with " + std::to_string(expected) + " threads while others wait for " +
                    std::to_string(b.expected));
  b.in_use = true;
  b.expected = expected;
  b.warps |= 1u << warp.index;
  if (wait) {
    b.arrived[static_cast<size_t>(warp.index)] |= lanes;
    Split& s = warp.split();
    s.state = Split::kBarrier;
    s.barrier = static_cast<uint8_t>(id);
  } else {
    b.arrived_only += 32;
  }
  try_release(id);
}

void Block::recheck_barriers() {
  for (int i = 0; i < 16; ++i)
    if (barriers[i].in_use) try_release(i);
}

void Block::try_release(int id) {
  Barrier& b = barriers[id];
  int threads = b.arrived_only;
  bool all = true;
  for (size_t w = 0; w < warps.size(); ++w) {
    const Mask alive = warps[w]->alive, here = b.arrived[w] & alive;
    if (here != alive) all = false;
    threads += here && here == alive ? 32 : __builtin_popcount(here);
  }
  if (b.expected ? threads < b.expected : !all) return;
  const uint32_t met = b.warps;
  const int pop = b.pop;
  const bool every = b.all, any = b.any;
  b.in_use = false;
  b.warps = 0;
  b.arrived_only = b.pop = 0;
  b.all = true;
  b.any = false;
  b.arrived.assign(warps.size(), 0);
  if (shadow) shadow->synchronise(met);
  for (auto& warp : warps) {
    if (!(met >> warp->index & 1)) continue;
    ++warp->epoch;
    for (Split& s : warp->splits) {
      if (s.state != Split::kBarrier || s.barrier != id) continue;
      const Inst& in = s.frame->code->code[static_cast<size_t>(s.pc)];
      uint8_t* const regs = warp->regs;
      warp->regs = s.frame->regs;
      if (in.a == 1) {
        uint32_t lanes[kLanes];
        for (uint32_t& lane : lanes) lane = static_cast<uint32_t>(pop);
        warp->commit(in.refs[0], lanes, s.mask);
      } else if (in.a >= 2) {
        warp->set_predicate(in.refs[0], (in.a == 2 ? every : any) ? kFullMask : 0, s.mask);
      }
      warp->regs = regs;
      s.state = Split::kReady;
      ++s.pc;
    }
  }
}

std::string Block::thread_name(int warp, int lane) const {
  const uint32_t linear = static_cast<uint32_t>(warp * 32 + lane);
  const uint32_t* d = launch.block;
  return "thread (" + std::to_string(linear % d[0]) + "," + std::to_string(linear / d[0] % d[1]) + "," +
         std::to_string(linear / d[0] / d[1]) + ")";
}

std::string Block::describe_fault(const Fault& fault) const {
  std::string text = std::string(check_name(fault.check)) + ": " + fault.what() + "\n    in kernel " + launch.kernel + ", block (" +
                     std::to_string(id[0]) + "," + std::to_string(id[1]) + "," + std::to_string(id[2]) + ")";
  if (!running) return text;
  if (fault.lane >= 0)
    text += ", " + thread_name(running->index, fault.lane);
  else
    text += ", warp " + std::to_string(running->index);
  if (const Inst* in = running->inst()) {
    const Instruction& source = *in->source;
    text += "\n    at ";
    const auto file = launch.code->module->files.find(source.file);
    if (source.line && file != launch.code->module->files.end()) text += file->second + ":" + std::to_string(source.line) + ", ";
    text += std::string(source.opcode) + " (PTX line " + std::to_string(source.ptx_line) + ")";
  }
  return text;
}

}  // namespace gpusim

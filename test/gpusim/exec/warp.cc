// How a warp moves: splits, joins, calls and warp-wide instructions.
#include "warp.h"

#include <algorithm>
#include <cstdio>

#include "block.h"

namespace gpusim {
namespace {

constexpr size_t kMaxLocal = size_t{512} << 10;  // as on a device, the most local memory of a thread
constexpr size_t kMaxFrames = 4096;

void special_lanes(const Warp& warp, int special, uint32_t* out) {
  const Block& block = warp.block;
  const Launch& launch = block.launch;
  const uint32_t* dim = launch.block;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t linear = static_cast<uint32_t>(warp.index) * 32 + lane;
    uint32_t v = 0;
    switch (special) {
      case kTidX: v = linear % dim[0]; break;
      case kTidY: v = linear / dim[0] % dim[1]; break;
      case kTidZ: v = linear / (dim[0] * dim[1]); break;
      case kNtidX:
      case kNtidY:
      case kNtidZ: v = dim[special - kNtidX]; break;
      case kCtaidX:
      case kCtaidY:
      case kCtaidZ: v = block.id[special - kCtaidX]; break;
      case kNctaidX:
      case kNctaidY:
      case kNctaidZ: v = launch.grid[special - kNctaidX]; break;
      case kLaneid: v = lane; break;
      case kWarpid: v = static_cast<uint32_t>(warp.index); break;
      case kNwarpid: v = static_cast<uint32_t>((launch.threads_per_block() + 31) / 32); break;
      case kSmid: v = static_cast<uint32_t>(block.index % static_cast<uint64_t>(launch.sm_count)); break;
      case kNsmid: v = static_cast<uint32_t>(launch.sm_count); break;
      case kGridid: v = launch.number; break;
      case kLanemaskEq: v = 1u << lane; break;
      case kLanemaskLe: v = (2u << lane) - 1; break;
      case kLanemaskLt: v = (1u << lane) - 1; break;
      case kLanemaskGe: v = ~((1u << lane) - 1); break;
      case kLanemaskGt: v = ~((2u << lane) - 1); break;
      case kDynamicSmem: v = static_cast<uint32_t>(launch.dynamic_shared); break;
      case kTotalSmem: v = static_cast<uint32_t>(block.shared_bytes); break;
      case kWarpSize: v = 32; break;
      case kClusterOne: v = 1; break;
      case kWorkspaceHigh: v = static_cast<uint32_t>(launch.workspace >> 32); break;
      case kWorkspaceLow: v = static_cast<uint32_t>(launch.workspace); break;
      case kReservedOffset: v = kReservedShared; break;
      default: break;
    }
    out[lane] = v;
  }
}

}  // namespace

Warp::Warp(Block& block, int index, Mask lanes) : block(block), index(index), alive(lanes), counters(block.counters) {
  Split s;
  s.mask = lanes;
  s.frame = new_frame(block.launch.code, 0);
  splits.push_back(s);
  select(0);
}

Frame* Warp::new_frame(const Code* code, size_t local_base) {
  if (frames_.size() >= kMaxFrames) throw Fault(Check::kBounds, -1, "stack overflow: calls are nested too deep");
  auto frame = std::make_unique<Frame>();
  frame->code = code;
  // The slack keeps a 64-bit result in a 32-bit register, which is wrong PTX, inside the frame.
  frame->memory = std::make_unique<uint8_t[]>(code->register_bytes + 64 + 256);
  frame->regs = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(frame->memory.get()) + 63) & ~uintptr_t{63});
  frame->constants = reinterpret_cast<const uint8_t*>(code->constants.data());
  frame->local_base = local_base;
  const size_t needed = (local_base + code->local_bytes + 15) / 16 * 16;
  if (needed > kMaxLocal) throw Fault(Check::kBounds, -1, "stack overflow: a thread needs more than 512 KB of local memory");
  if (needed > local_stride_) {  // a row for each lane
    const size_t stride = std::max(needed, local_stride_ * 2);
    std::vector<uint8_t> bigger(stride * kLanes);
    for (size_t lane = 0; lane < kLanes && local_stride_; ++lane)
      std::memcpy(bigger.data() + lane * stride, local_.data() + lane * local_stride_, local_stride_);
    local_.swap(bigger);
    local_stride_ = stride;
  }
  for (const auto& [special, offset] : code->specials) {
    if (special == kLocalBase) {
      uint64_t* lanes = reinterpret_cast<uint64_t*>(frame->regs + offset);
      std::fill(lanes, lanes + kLanes, kLocalWindow + local_base);
    } else {
      special_lanes(*this, special, reinterpret_cast<uint32_t*>(frame->regs + offset));
    }
  }
  frames_.push_back(std::move(frame));
  return frames_.back().get();
}

void Warp::select(int split) {
  current = split;
  regs = this->split().frame->regs;
  constants = this->split().frame->constants;
}

uint32_t Warp::pc_for_reports() const {
  return inst_ ? static_cast<uint32_t>(inst_->source - block.launch.code->function->code.data()) : 0;
}

bool Warp::run(uint64_t budget) {
  bool moved = false;
  while (alive && budget > 0) {
    if (!pick()) {
      if (!release_collective()) return moved;
      moved = true;
      continue;
    }
    moved = true;
    uint64_t slice = std::min<uint64_t>(budget, 2000);
    const uint64_t given = slice;
    run_split(&slice);
    budget -= std::max<uint64_t>(given - slice, 1);
    // A split that used up its slice may spin for another one: that one goes next.
    if (splits.size() > 1 && current >= 0 && slice == 0) {
      const Split s = split();
      splits.erase(splits.begin() + current);
      splits.insert(splits.begin(), s);
    }
  }
  return moved;
}

bool Warp::pick() {
  for (int i = static_cast<int>(splits.size()) - 1; i >= 0; --i)
    if (splits[static_cast<size_t>(i)].state == Split::kReady) return select(i), true;
  return false;
}

void Warp::run_split(uint64_t* budget) {
  Launch& launch = block.launch;
  while (*budget > 0) {
    Split* s = &split();
    const int32_t stop = s->join >= 0 && !joins[static_cast<size_t>(s->join)].is_return ? joins[static_cast<size_t>(s->join)].pc : -1;
    if (s->pc == stop && joins[static_cast<size_t>(s->join)].frame == s->frame) {
      arrive_if_at_join();
      if (current < 0) return;
      continue;
    }
    const Code& code = *s->frame->code;
    const Inst* const first = code.code.data();
    const int32_t end = static_cast<int32_t>(code.code.size());
    const Mask mask = s->mask;
    int32_t pc = s->pc;
    for (;;) {  // straight-line code
      if (pc >= end) {
        s->pc = pc;
        leave(mask);  // a body that ends without ret
        if (current < 0) return;
        break;
      }
      const Inst& in = first[pc];
      inst_ = &in;
      Mask active = mask;
      if (in.guarded) active &= predicate(in.guard);
      const auto cls = static_cast<size_t>(in.cls);
      ++counters.warp_instructions[cls];
      counters.thread_instructions[cls] += static_cast<uint64_t>(__builtin_popcount(active));
      --*budget;
      if (launch.trace) {
        std::fprintf(stderr, "gpusim: trace: block %llu warp %d mask %08x: %.*s (PTX line %d)\n",
                     static_cast<unsigned long long>(block.index), index, active, static_cast<int>(in.source->opcode.size()),
                     in.source->opcode.data(), in.source->ptx_line);
      }
      if (in.flow == Flow::kNext) {
        if (active) in.run(*this, in, active);
        ++pc;
      } else if (in.flow == Flow::kControl) {
        s->pc = pc;
        in.run(*this, in, active);
        if (current < 0) return;
        break;
      } else if (active == 0) {
        ++pc;
      } else {
        s->pc = pc;
        if (in.flow == Flow::kBlocking && active != mask) {  // the others do not wait
          --counters.warp_instructions[cls];
          counters.thread_instructions[cls] -= static_cast<uint64_t>(__builtin_popcount(active));
          return diverge(active, pc, pc + 1, pc + 1);
        }
        const Mask needs = required(in, active);
        if (needs & ~active) {  // wait for the others; they run this very instruction, or they never come
          --counters.warp_instructions[cls];
          counters.thread_instructions[cls] -= static_cast<uint64_t>(__builtin_popcount(active));
          if (active != mask) {  // a guard: lanes that do not take part go on
            diverge(active, pc, pc + 1, pc + 1);
            for (Split& part : splits)
              if (part.mask == active && part.pc == pc && part.state == Split::kReady) part.state = Split::kSync, part.wait = needs;
          } else {
            s->state = Split::kSync;
            s->wait = needs;
          }
          return;
        }
        run_collective(in, active);
        if (s->state != Split::kReady) return;  // waits at a barrier
        ++pc;
      }
      if (pc == stop || *budget == 0) {
        s->pc = pc;
        break;
      }
    }
  }
}

// The lanes that must come to a warp-wide instruction.
Mask Warp::required(const Inst& in, Mask active) const {
  if (in.flow == Flow::kBlocking) return active;
  if (in.flow == Flow::kAligned) return alive;
  const uint32_t* members = src<uint32_t>(in.refs[0]);
  Mask all = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    if (!(active >> lane & 1)) continue;
    if (!(members[lane] >> lane & 1) && block.launch.checks.barrier)
      throw Fault(Check::kBarrier, lane, "a thread executes a warp-wide instruction whose member mask does not name it");
    all |= members[lane];
  }
  return all & alive;
}

// Lanes with different member masks are different groups, as the tiles of cooperative groups are.
void Warp::run_collective(const Inst& in, Mask lanes) {
  if (in.flow != Flow::kCollective) return in.run(*this, in, lanes);
  uint32_t members[kLanes];
  std::memcpy(members, src<uint32_t>(in.refs[0]), sizeof members);
  for (Mask rest = lanes; rest;) {
    const uint32_t mask = members[__builtin_ctz(rest)];
    Mask group = 0;
    for (int lane = 0; lane < kLanes; ++lane)
      if (rest >> lane & 1 && members[lane] == mask) group |= 1u << lane;
    in.run(*this, in, group);
    rest &= ~group;
  }
}

bool Warp::release_collective() {
  for (size_t i = 0; i < splits.size(); ++i) {
    if (splits[i].state != Split::kSync) continue;
    const Mask wait = splits[i].wait & alive;
    Mask here = 0;
    bool same_place = true;
    for (const Split& s : splits)
      if (s.state == Split::kSync && (s.wait & alive) == wait && s.mask & wait) {
        here |= s.mask;
        same_place &= s.pc == splits[i].pc && s.frame == splits[i].frame;
      }
    if (wait & ~here) continue;
    const Inst& in = splits[i].frame->code->code[static_cast<size_t>(splits[i].pc)];
    const bool is_syncwarp = in.cls == Class::kBarrier && in.flow == Flow::kCollective;
    if (!same_place && !is_syncwarp) continue;
    select(static_cast<int>(i));
    inst_ = &in;
    Mask lanes = here;
    const int32_t pc = splits[i].pc;
    ++counters.warp_instructions[static_cast<size_t>(in.cls)];
    counters.thread_instructions[static_cast<size_t>(in.cls)] += static_cast<uint64_t>(__builtin_popcount(lanes));
    std::vector<size_t> group;
    for (size_t k = 0; k < splits.size(); ++k)
      if (splits[k].state == Split::kSync && (splits[k].wait & alive) == wait && splits[k].mask & wait) group.push_back(k);
    for (size_t k : group) splits[k].state = Split::kReady;
    run_collective(in, lanes);
    if (splits[i].state == Split::kBarrier) {  // all of them wait there
      for (size_t k : group) splits[k].state = Split::kBarrier, splits[k].barrier = splits[i].barrier;
    } else if (splits[i].pc == pc) {
      for (size_t k : group) ++splits[k].pc;
    }
    return true;
  }
  return false;
}

// The current split is at the place of its join.
bool Warp::arrive_if_at_join() {
  const Split s = split();
  splits.erase(splits.begin() + current);
  current = -1;
  Join& join = joins[static_cast<size_t>(s.join)];
  join.pending &= ~s.mask;
  join.arrived |= s.mask;
  if (join.pending == 0) finish_join(s.join);
  return true;
}

// Nobody is expected any more: the lanes that came go on as one.
void Warp::finish_join(int index) {
  Join join = joins[static_cast<size_t>(index)];
  joins[static_cast<size_t>(index)].live = false;
  if (join.callee) {
    const auto gone = std::find_if(frames_.begin(), frames_.end(), [&](const auto& f) { return f.get() == join.callee; });
    frames_.erase(gone);
  }
  if (join.arrived) {
    Split s;
    s.mask = join.arrived;
    s.pc = join.pc;
    s.join = join.parent;
    s.frame = join.frame;
    splits.push_back(s);
  }
}

namespace {

int new_join(std::vector<Join>& joins, const Join& join) {
  for (size_t i = 0; i < joins.size(); ++i)
    if (!joins[i].live) return joins[i] = join, static_cast<int>(i);
  joins.push_back(join);
  return static_cast<int>(joins.size()) - 1;
}

}  // namespace

// Lanes `taken` go to `target`, the rest to `other`.
void Warp::diverge(Mask taken, int32_t target, int32_t other, int32_t reconverge) {
  Split s = split();
  const Mask rest = s.mask & ~taken;
  if (rest == 0 || taken == 0) {
    split().pc = rest == 0 ? target : other;
    return;
  }
  splits.erase(splits.begin() + current);
  const bool same_join = s.join >= 0 && !joins[static_cast<size_t>(s.join)].is_return &&
                         joins[static_cast<size_t>(s.join)].pc == reconverge && joins[static_cast<size_t>(s.join)].frame == s.frame;
  if (reconverge >= 0 && !same_join) {
    Join join;
    join.pc = reconverge;
    join.parent = s.join;
    join.frame = s.frame;
    join.pending = s.mask;
    join.live = true;
    s.join = new_join(joins, join);
  }
  s.mask = taken;
  s.pc = target;
  splits.push_back(s);
  s.mask = rest;
  s.pc = other;
  splits.push_back(s);
  current = -1;
}

void Warp::call(const Code* code, const CallLayout& layout) {
  Split& s = split();
  const size_t base = (s.frame->local_base + s.frame->code->local_bytes + 15) / 16 * 16;
  Frame* callee = new_frame(code, base);
  const auto& parameters = code->function->parameters;
  if (layout.arguments.size() != parameters.size() || layout.results.size() != code->function->results.size())
    throw Fault(Check::kInstruction, -1, "call of '" + std::string(code->function->name) + "' with another number of arguments");
  for (size_t i = 0; i < parameters.size(); ++i)
    if (layout.argument_bytes[i] < parameters[i].bytes) throw Fault(Check::kInstruction, -1, "call with an argument that is too small");
  for (size_t i = 0; i < layout.results.size(); ++i)
    if (layout.result_bytes[i] < code->function->results[i].bytes)
      throw Fault(Check::kInstruction, -1, "call with a result that is too small");
  for (int lane = 0; lane < kLanes; ++lane)
    if (s.mask >> lane & 1)
      for (size_t i = 0; i < parameters.size(); ++i)
        std::memcpy(local(lane, base + code->parameter_offsets[i]), local(lane, s.frame->local_base + layout.arguments[i]),
                    parameters[i].bytes);
  Join join;
  join.pc = s.pc + 1;
  join.parent = s.join;
  join.frame = s.frame;
  join.pending = s.mask;
  join.is_return = join.live = true;
  join.callee = callee;
  Split inside = s;
  inside.join = new_join(joins, join);
  inside.pc = 0;
  inside.frame = callee;
  splits[static_cast<size_t>(current)] = inside;
  select(current);
}

void Warp::leave(Mask lanes) {
  if (lanes == 0) {
    ++split().pc;
    return;
  }
  const Split s = split();
  int join = s.join;
  while (join >= 0 && !joins[static_cast<size_t>(join)].is_return) join = joins[static_cast<size_t>(join)].parent;
  if (join < 0) return exit(lanes);
  // Results go back at once, for the lanes that leave.
  const Join& back = joins[static_cast<size_t>(join)];
  const Inst& call = back.frame->code->code[static_cast<size_t>(back.pc - 1)];
  const auto& results = static_cast<const CallLayout*>(call.data)->results;
  const Code* code = s.frame->code;
  for (int lane = 0; lane < kLanes; ++lane)
    if (lanes >> lane & 1)
      for (size_t i = 0; i < results.size(); ++i)
        std::memcpy(local(lane, back.frame->local_base + results[i]), local(lane, s.frame->local_base + code->result_offsets[i]),
                    code->function->results[i].bytes);
  if (lanes == s.mask)
    splits.erase(splits.begin() + current);
  else
    split().mask &= ~lanes, ++split().pc;
  current = -1;
  for (int j = s.join; j != join;) {  // joins inside the function wait for them no longer
    const int parent = joins[static_cast<size_t>(j)].parent;
    joins[static_cast<size_t>(j)].pending &= ~lanes;
    if (joins[static_cast<size_t>(j)].pending == 0) finish_join(j);
    j = parent;
  }
  joins[static_cast<size_t>(join)].arrived |= lanes;
  joins[static_cast<size_t>(join)].pending &= ~lanes;
  if (joins[static_cast<size_t>(join)].pending == 0) finish_join(join);
}

void Warp::exit(Mask lanes) {
  if (lanes == 0) {
    ++split().pc;
    return;
  }
  const Split s = split();
  if (lanes == s.mask)
    splits.erase(splits.begin() + current);
  else
    split().mask &= ~lanes, ++split().pc;
  current = -1;
  alive &= ~lanes;
  for (int j = s.join; j >= 0;) {
    const int parent = joins[static_cast<size_t>(j)].parent;
    Join& join = joins[static_cast<size_t>(j)];
    join.pending &= ~lanes;
    if (join.pending == 0) finish_join(j);
    j = parent;
  }
  block.recheck_barriers();
}

std::string Warp::describe_wait(const Split& s) const {
  const Instruction& source = *s.frame->code->code[static_cast<size_t>(s.pc)].source;
  std::string text = "lanes ";
  char mask[16];
  std::snprintf(mask, sizeof mask, "%08x", s.mask);
  text += mask;
  text += " of warp " + std::to_string(index) + " wait at " + std::string(source.opcode);
  if (source.line) text += " (line " + std::to_string(source.line) + ")";
  return text;
}

}  // namespace gpusim

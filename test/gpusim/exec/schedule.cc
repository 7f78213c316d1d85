// How a warp moves: which of its splits goes next, straight-line code, and instructions that lanes execute together.
#include <algorithm>
#include <cstdio>

#include "block.h"
#include "warp.h"

namespace gpusim {

// times: 1, or -1 for an instruction that turns out to wait and is counted when it comes to run.
inline void Warp::tally(const Inst& in, Mask active, int times) {
  const auto cls = static_cast<size_t>(in.cls);
  counters.warp_instructions[cls] += static_cast<uint64_t>(times);
  counters.thread_instructions[cls] += static_cast<uint64_t>(times * __builtin_popcount(active));
  const Frame& frame = *split().frame;
  if (frame.spots) frame.spots[&in - frame.code->code.data()].executions += static_cast<uint64_t>(times);
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
      tally(in, active, 1);
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
          tally(in, active, -1);
          return diverge(active, pc, pc + 1, pc + 1);
        }
        const Mask needs = required(in, active);
        if (needs & ~active) {  // wait for the others; they run this very instruction, or they never come
          tally(in, active, -1);
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
    tally(in, lanes, 1);
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

}  // namespace gpusim

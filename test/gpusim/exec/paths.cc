// Where the lanes of a warp part and meet: branches, joins, calls, returns and the end of threads.
#include <algorithm>

#include "block.h"
#include "warp.h"

namespace gpusim {

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

}  // namespace gpusim

// Lanes of a warp among themselves: shfl vote match redux activemask elect. refs[0] is the member mask of the .sync forms.
#include <algorithm>

#include "build.h"
#include "lanes.h"

namespace gpusim {
namespace {

// refs: mask, d, p, a, b, c. in.a: up, down, bfly, idx.
void run_shuffle(Warp& w, const Inst& in, Mask active) {
  const uint32_t *a = w.src<uint32_t>(in.refs[3]), *b = w.src<uint32_t>(in.refs[4]), *c = w.src<uint32_t>(in.refs[5]);
  uint32_t out[kLanes];
  Mask valid = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    const int delta = static_cast<int>(b[lane] & 31), clamp = static_cast<int>(c[lane] & 31), segment = static_cast<int>(c[lane] >> 8 & 31);
    const int most = (lane & segment) | (clamp & ~segment), least = lane & segment;
    int from = 0;
    bool ok = false;
    switch (in.a) {
      case 0: from = lane - delta, ok = from >= most; break;
      case 1: from = lane + delta, ok = from <= most; break;
      case 2: from = lane ^ delta, ok = from <= most; break;
      default: from = least | (delta & ~segment), ok = from <= most;
    }
    if (!ok) from = lane;
    out[lane] = a[from];
    valid |= static_cast<Mask>(ok) << lane;
  }
  w.commit(in.refs[1], out, active);
  w.set_predicate(in.refs[2], valid, active);
}

// refs: mask, d, a. in.a: all, any, uni, ballot.
void run_vote(Warp& w, const Inst& in, Mask active) {
  const Mask p = w.predicate(in.refs[2]) & active;
  if (in.a == 3) {
    uint32_t out[kLanes];
    std::fill(out, out + kLanes, p);
    return w.commit(in.refs[1], out, active);
  }
  const bool yes = in.a == 0 ? p == active : in.a == 1 ? p != 0 : p == active || p == 0;
  w.set_predicate(in.refs[1], yes ? kFullMask : 0, active);
}

// refs: mask, d, p, a. in.a: all.
template <class S>
void run_match(Warp& w, const Inst& in, Mask active) {
  const S* a = w.src<S>(in.refs[3]);
  uint32_t out[kLanes] = {};
  bool all = true;
  for (int i = 0; i < kLanes; ++i) {
    if (!(active >> i & 1)) continue;
    for (int k = 0; k < kLanes; ++k)
      if (active >> k & 1 && a[k] == a[i]) out[i] |= 1u << k;
    all &= out[i] == active;
  }
  if (in.a) std::fill(out, out + kLanes, all ? active : 0);
  w.commit(in.refs[1], out, active);
  w.set_predicate(in.refs[2], all ? kFullMask : 0, active);
}

// refs: mask, d, a. in.a: operation.
void run_redux(Warp& w, const Inst& in, Mask active) {
  const uint32_t* a = w.src<uint32_t>(in.refs[2]);
  uint32_t sum = a[__builtin_ctz(active)];
  const bool s = is_signed(in.type);
  for (int i = __builtin_ctz(active) + 1; i < kLanes; ++i) {
    if (!(active >> i & 1)) continue;
    const uint32_t v = a[i];
    const bool less = s ? static_cast<int32_t>(v) < static_cast<int32_t>(sum) : v < sum;
    switch (in.a) {
      case 0: sum += v; break;
      case 1: sum = less ? v : sum; break;
      case 2: sum = less ? sum : v; break;
      case 3: sum &= v; break;
      case 4: sum |= v; break;
      default: sum ^= v;
    }
  }
  uint32_t out[kLanes];
  std::fill(out, out + kLanes, sum);
  w.commit(in.refs[1], out, active);
}

void run_activemask(Warp& w, const Inst& in, Mask active) {
  uint32_t out[kLanes];
  std::fill(out, out + kLanes, active);
  w.commit(in.refs[0], out, active);
}

// refs: mask, d, p.
void run_elect(Warp& w, const Inst& in, Mask active) {
  uint32_t out[kLanes];
  const int leader = __builtin_ctz(active);
  std::fill(out, out + kLanes, static_cast<uint32_t>(leader));
  w.commit(in.refs[1], out, active);
  w.set_predicate(in.refs[2], 1u << leader, active);
}

void pair_dst(Build& b, const Operand& d) {
  if (d.kind == Operand::Kind::kPair)
    b.dst(d.items[0]), b.predicate_dst(d.items[1]);
  else
    b.dst(d), b.sink();
}

// The member mask is the last operand of the .sync forms.
size_t member_mask(Build& b, bool sync) {
  if (!sync) {
    b.constant(0, 32);
    return b.operands();
  }
  b.inst.flow = Flow::kCollective;
  b.src(b.operands() - 1, Type::kU32);
  return b.operands() - 1;
}

}  // namespace

bool select_warp(Build& b) {
  const std::string_view op = b.words.base();
  Inst& in = b.inst;
  const auto which = [&](std::initializer_list<std::string_view> words) {
    const int i = b.words.one_of(words);
    if (i < 0) b.fail("a word is missing");
    in.a = static_cast<uint8_t>(i);
  };
  if (op == "shfl") {
    in.cls = Class::kShuffle;
    which({"up", "down", "bfly", "idx"});
    b.words.type();
    const size_t end = member_mask(b, b.words.has("sync"));
    if (end != 4) b.fail("expected d, a, b, c");
    pair_dst(b, b.operand(0));
    for (size_t i = 1; i < 4; ++i) b.src(i, Type::kB32);
    in.run = run_shuffle;
  } else if (op == "vote") {
    in.cls = Class::kVote;
    which({"all", "any", "uni", "ballot"});
    b.words.type();
    member_mask(b, b.words.has("sync"));
    if (in.a == 3)
      b.dst(0);
    else
      b.predicate_dst(b.operand(0));
    b.predicate_src(b.operand(1));
    in.run = run_vote;
  } else if (op == "match") {
    in.cls = Class::kVote;
    in.a = b.words.one_of({"any", "all"}) == 1;
    in.type = b.words.type();
    member_mask(b, b.words.has("sync"));
    pair_dst(b, b.operand(0));
    b.src(1, in.type);
    in.run = bits_of(in.type) == 64 ? run_match<uint64_t> : run_match<uint32_t>;
  } else if (op == "redux") {
    in.cls = Class::kShuffle;
    which({"add", "min", "max", "and", "or", "xor"});
    in.type = b.words.type();
    if (is_float(in.type)) b.fail("not with this type");
    member_mask(b, b.words.has("sync"));
    b.dst(0), b.src(1, Type::kB32);
    in.run = run_redux;
  } else if (op == "activemask") {
    in.cls = Class::kVote;
    b.words.type();
    b.dst(0);
    in.run = run_activemask;
  } else if (op == "elect") {
    in.cls = Class::kVote;
    member_mask(b, b.words.has("sync"));
    pair_dst(b, b.operand(0));
    in.run = run_elect;
  } else {
    return false;
  }
  return true;
}

}  // namespace gpusim

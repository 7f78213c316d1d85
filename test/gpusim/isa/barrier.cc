// bar barrier membar fence.
#include <atomic>

#include "../exec/block.h"
#include "build.h"

namespace gpusim {
namespace {

enum Reduction : uint8_t { kNone, kPopc, kAnd, kOr };

// refs: result, barrier number, threads (0: all), predicate. in.a: reduction, in.b: arrive only.
void run_barrier(Warp& w, const Inst& in, Mask active) {
  const int lane = __builtin_ctz(active);
  const uint32_t id = w.src<uint32_t>(in.refs[1])[lane], threads = w.src<uint32_t>(in.refs[2])[lane];
  if (id >= 16) throw Fault(Check::kInstruction, lane, "barrier " + std::to_string(id) + " does not exist: there are 16");
  if (threads % 32) throw Fault(Check::kInstruction, lane, "a barrier of " + std::to_string(threads) + " threads: not a multiple of 32");
  if (in.a != kNone) {
    const Mask p = w.predicate(in.refs[3]);
    Barrier& b = w.block.barriers[id];
    b.pop += __builtin_popcount(p & active);
    b.all &= (~p & active) == 0;
    b.any |= (p & active) != 0;
  }
  w.block.arrive(w, static_cast<int>(id), static_cast<int>(threads), active, !in.b);
}

// Lanes of a warp meet: what one wrote before, all may read after.
void run_syncwarp(Warp& w, const Inst&, Mask) { ++w.epoch; }

void run_fence(Warp&, const Inst&, Mask) { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace

bool select_barrier(Build& b) {
  const std::string_view op = b.words.base();
  Inst& in = b.inst;
  in.cls = Class::kBarrier;
  if (op == "membar" || op == "fence") {
    b.words.one_of({"sc", "acq_rel", "acquire", "release"});
    b.words.one_of({"cta", "gl", "gpu", "sys", "cluster"});
    if (b.words.has("proxy"))
      b.words.starts("async"), b.words.has("alias"), b.words.starts("tensormap"), b.words.one_of({"global", "shared::cta"});
    b.words.starts("mbarrier_init");
    in.cls = Class::kFence;
    in.run = run_fence;
    return true;
  }
  if (op != "bar" && op != "barrier") return false;
  if (b.words.has("warp")) {
    b.words.has("sync");
    in.flow = Flow::kCollective;
    in.run = run_syncwarp;
    b.src(0, Type::kU32);
    return true;
  }
  b.words.has("cta");
  if (b.words.has("cluster")) b.fail("clusters are not supported");
  const bool aligned = b.words.has("aligned") || op == "bar";
  const int what = b.words.one_of({"sync", "arrive", "red"});
  if (what < 0) b.fail("expected .sync, .arrive or .red");
  in.flow = aligned ? Flow::kAligned : Flow::kBlocking;
  in.b = what == 1;
  in.run = run_barrier;
  size_t at = 0;
  if (what == 2) {
    const int reduction = b.words.one_of({"popc", "and", "or"});
    in.a = static_cast<uint8_t>(reduction + 1);
    b.words.type();
    if (reduction == 0)
      b.dst(0);
    else
      b.predicate_dst(b.operand(0));
    at = 1;
  } else {
    b.sink();
  }
  b.src(at++, Type::kU32);
  const size_t last = what == 2 ? b.operands() - 1 : b.operands();
  if (at < last)
    b.src(at, Type::kU32);
  else
    b.constant(0, 32);
  if (what == 2)
    b.predicate_src(b.operand(b.operands() - 1));
  else
    b.constant(0, 32);
  return true;
}

}  // namespace gpusim

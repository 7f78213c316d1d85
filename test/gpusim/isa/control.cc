// bra brx call ret exit trap brkpt. Labels are resolved by the decoder: inst.target holds the index of an instruction.
#include "access.h"
#include "build.h"
#include "builtins.h"

namespace gpusim {
namespace {

void run_branch(Warp& w, const Inst& in, Mask active) {
  const Split& s = w.split();
  ++w.counters.branches;
  if (active == s.mask) return w.jump(in.target);
  if (active == 0) return w.jump(s.pc + 1);
  ++w.counters.divergent_branches;
  w.diverge(active, in.target, s.pc + 1, in.reconverge);
}

// The lanes that agree with the first one go; the others come to this instruction again.
void run_branch_table(Warp& w, const Inst& in, Mask active) {
  const auto& targets = *static_cast<const std::vector<int32_t>*>(in.data);
  Split& s = w.split();
  ++w.counters.branches;
  if (active == 0) return w.jump(s.pc + 1);
  if (active != s.mask) return w.diverge(active, s.pc, s.pc + 1, in.reconverge);
  const uint32_t* index = w.src<uint32_t>(in.refs[0]);
  const int first = __builtin_ctz(active);
  if (index[first] >= targets.size()) throw Fault(Check::kInstruction, first, "brx.idx past the end of its table");
  Mask same = 0;
  for (int i = 0; i < kLanes; ++i)
    if (active >> i & 1 && index[i] == index[first]) same |= 1u << i;
  if (same != active) ++w.counters.divergent_branches;
  w.diverge(same, targets[index[first]], s.pc, in.reconverge);
}

void run_call(Warp& w, const Inst& in, Mask active) {
  const CallLayout& layout = *static_cast<const CallLayout*>(in.data);
  Split& s = w.split();
  if (active == 0) return w.jump(s.pc + 1);
  if (active != s.mask) return w.diverge(active, s.pc, s.pc + 1, s.pc + 1);
  const Function* callee = layout.callee;
  if (!callee) {
    const uint64_t* pointers = w.src<uint64_t>(in.refs[0]);
    const int first = __builtin_ctz(active);
    Mask same = 0;
    for (int i = 0; i < kLanes; ++i)
      if (active >> i & 1 && pointers[i] == pointers[first]) same |= 1u << i;
    if (same != active) return w.diverge(same, s.pc, s.pc, s.pc + 1);
    callee = w.block.launch.resolver->function_at(pointers[first]);
    if (!callee) throw Fault(Check::kBounds, first, "call through a pointer that is no function");
  }
  if (callee->has_body) return w.call(w.block.launch.resolver->code_of(callee), layout);
  call_builtin(w, *callee, layout, active);
  w.jump(s.pc + 1);
}

void run_ret(Warp& w, const Inst&, Mask active) { w.leave(active); }
void run_exit(Warp& w, const Inst&, Mask active) { w.exit(active); }
void run_trap(Warp&, const Inst&, Mask active) { throw Fault(Check::kTrap, __builtin_ctz(active), "trap"); }
void run_nothing(Warp&, const Inst&, Mask) {}

void place_arguments(Build& b, const Operand& list, std::vector<size_t>* offsets, std::vector<size_t>* bytes) {
  for (const Operand& item : list.items) {
    const Symbols::Address at = b.symbols.address(b.function, b.source.scope, item.name);
    if (!at.found || !at.local) b.fail("arguments of calls must be .param variables");
    offsets->push_back(static_cast<size_t>(at.value));
    bytes->push_back(at.variable->bytes);
  }
}

void select_call(Build& b) {
  CallLayout* const layout = b.keep(CallLayout());
  b.words.has("uni");
  size_t at = 0;
  using Kind = Operand::Kind;
  // [(results),] callee [, (arguments)] [, prototype]
  if (b.operand(0).kind == Kind::kList) place_arguments(b, b.operand(at++), &layout->results, &layout->result_bytes);
  const Operand& callee = b.operand(at++);
  if (callee.kind == Kind::kRegister) {
    b.src(callee, Type::kU64);
  } else {
    layout->callee = b.symbols.function(callee.name);
    if (!layout->callee) b.fail("function '" + std::string(callee.name) + "' is not declared");
    if (!layout->callee->has_body && !is_builtin(layout->callee->name)) b.fail("function '" + std::string(callee.name) + "' has no body");
  }
  if (at < b.operands() && b.operand(at).kind == Kind::kList)
    place_arguments(b, b.operand(at), &layout->arguments, &layout->argument_bytes);
  b.inst.run = run_call;
}

}  // namespace

bool select_control(Build& b) {
  const std::string_view op = b.words.base();
  b.inst.cls = Class::kControl;
  b.inst.flow = Flow::kControl;
  if (op == "bra") {
    b.words.has("uni");
    b.inst.run = run_branch;
    const int target = b.function.label(b.source.scope, b.operand(0).name);
    if (target < 0) b.fail("label '" + std::string(b.operand(0).name) + "' is not known here");
    b.inst.target = target;
  } else if (op == "brx") {
    b.words.has("idx"), b.words.has("uni");
    b.inst.run = run_branch_table;
    b.src(0, Type::kU32);
    const auto* names = b.function.targets(b.source.scope, b.operand(1).name);
    if (!names) b.fail("table '" + std::string(b.operand(1).name) + "' is not known here");
    std::vector<int32_t> table;
    for (std::string_view name : *names) table.push_back(b.function.label(b.source.scope, name));
    for (int32_t target : table)
      if (target < 0) b.fail("a label of the table is not known here");
    b.keep(std::move(table));
    b.inst.is_table = true;
  } else if (op == "call") {
    select_call(b);
  } else if (op == "ret") {
    b.words.has("uni");
    b.inst.run = run_ret;
  } else if (op == "exit") {
    b.inst.run = run_exit;
  } else if (op == "trap") {
    b.inst.flow = Flow::kNext;
    b.inst.run = run_trap;
  } else if (op == "brkpt") {
    b.inst.flow = Flow::kNext;
    b.inst.run = run_nothing;
  } else {
    b.inst.flow = Flow::kNext;
    return false;
  }
  return true;
}

}  // namespace gpusim

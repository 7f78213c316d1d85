#include "decoder.h"

#include "../check/checks.h"
#include "flow.h"
#include "registers.h"

namespace gpusim {
namespace {

using Select = bool (*)(Build&);
constexpr Select kFamilies[] = {select_carry,   select_integer, select_bits,   select_float,   select_half,       select_compare,
                                select_convert, select_move,    select_memory, select_control, select_barrier,    select_atomic,
                                select_async,   select_warp,    select_mma,    select_wmma,    select_matrix_load};

bool select(Build& b) {
  for (const Select family : kFamilies)
    if (family(b)) return true;
  return false;
}

}  // namespace

LocalLayout::LocalLayout(const Function& function) {
  const auto place = [this](const Variable& v) {
    bytes = (bytes + v.align - 1) / v.align * v.align;
    offsets[&v] = bytes;
    bytes += v.bytes;
  };
  for (const Variable& v : function.variables)
    if (v.space == Space::kLocal || v.space == Space::kParam) place(v);
  if (!function.is_entry)
    for (const auto* list : {&function.parameters, &function.results})
      for (const Variable& v : *list) place(v);
}

std::unique_ptr<Code> decode(const Module& module, const Function& function, const LocalLayout& locals, Symbols& symbols) {
  auto code = std::make_unique<Code>();
  code->function = &function;
  code->module = &module;
  code->local_bytes = locals.bytes;
  if (!function.is_entry) {
    for (const Variable& v : function.parameters) code->parameter_offsets.push_back(locals.offsets.at(&v));
    for (const Variable& v : function.results) code->result_offsets.push_back(locals.offsets.at(&v));
  }
  Registers registers;
  std::vector<std::vector<Ref>> refs;
  std::vector<std::vector<Registers::Use>> uses;
  for (const Instruction& source : function.code) {
    Build b(function, source, symbols, registers);
    if (!select(b)) b.fail("unknown instruction");
    if (!b.words.left_over().empty()) b.fail("unknown modifier ." + std::string(b.words.left_over()));
    if (source.guard >= 0) {
      b.inst.guarded = true;
      b.refs.push_back({source.guard_negated ? Ref::kNegated : 0});
      b.uses.push_back({source.guard, false});
    }
    for (auto& extra : b.extras) code->extras.push_back(std::move(extra));
    code->code.push_back(b.inst);
    refs.push_back(std::move(b.refs));
    uses.push_back(std::move(b.uses));
  }
  const std::vector<BasicBlock> blocks = basic_blocks(code->code);
  find_reconvergence(code->code, blocks);
  const Placement placement = place_registers(function, code->code, uses, blocks, registers.next);
  code->register_bytes = placement.bytes;
  code->live_registers = placement.live;
  code->constants = std::move(registers.constants);
  code->constants.resize(code->constants.size() + kLanes);  // wide reads of narrow constants stay inside
  for (const auto& [special, offset] : registers.specials) code->specials.push_back({special, offset});
  size_t total = 0;
  for (const auto& list : refs) total += list.size();
  code->refs.reserve(total);
  for (size_t i = 0; i < refs.size(); ++i) {
    Inst& in = code->code[i];
    in.refs = code->refs.data() + code->refs.size();
    for (size_t k = 0; k < refs[i].size(); ++k) {
      Ref ref = refs[i][k];
      if (uses[i][k].reg >= 0) ref.bits |= placement.offsets[static_cast<size_t>(uses[i][k].reg)];
      code->refs.push_back(ref);
    }
    if (in.guarded) in.guard = code->refs.back();
  }
  return code;
}

}  // namespace gpusim

#include "build.h"

#include <cstring>

#include "../check/checks.h"
#include "half.h"

namespace gpusim {
namespace {

using Kind = Operand::Kind;

struct Name {
  const char* name;
  int special;
};

constexpr Name kSpecials[] = {
    {"%tid.x", kTidX},
    {"%tid.y", kTidY},
    {"%tid.z", kTidZ},
    {"%ntid.x", kNtidX},
    {"%ntid.y", kNtidY},
    {"%ntid.z", kNtidZ},
    {"%ctaid.x", kCtaidX},
    {"%ctaid.y", kCtaidY},
    {"%ctaid.z", kCtaidZ},
    {"%nctaid.x", kNctaidX},
    {"%nctaid.y", kNctaidY},
    {"%nctaid.z", kNctaidZ},
    {"%laneid", kLaneid},
    {"%warpid", kWarpid},
    {"%nwarpid", kNwarpid},
    {"%smid", kSmid},
    {"%nsmid", kNsmid},
    {"%gridid", kGridid},
    {"%lanemask_eq", kLanemaskEq},
    {"%lanemask_le", kLanemaskLe},
    {"%lanemask_lt", kLanemaskLt},
    {"%lanemask_ge", kLanemaskGe},
    {"%lanemask_gt", kLanemaskGt},
    {"%dynamic_smem_size", kDynamicSmem},
    {"%total_smem_size", kTotalSmem},
    {"WARP_SZ", kWarpSize},
    {"%cluster_nctaid.x", kClusterOne},
    {"%cluster_nctaid.y", kClusterOne},
    {"%cluster_nctaid.z", kClusterOne},
    {"%cluster_nctarank", kClusterOne},
    {"%cluster_ctaid.x", kClusterZero},
    {"%cluster_ctaid.y", kClusterZero},
    {"%cluster_ctaid.z", kClusterZero},
    {"%cluster_ctarank", kClusterZero},
    {"%clusterid.x", kCtaidX},
    {"%clusterid.y", kCtaidY},
    {"%clusterid.z", kCtaidZ},
    {"%nclusterid.x", kNctaidX},
    {"%nclusterid.y", kNctaidY},
    {"%nclusterid.z", kNctaidZ},
    {"%is_explicit_cluster", kClusterZero},
    {"%envreg1", kWorkspaceHigh},
    {"%envreg2", kWorkspaceLow},
    {"%reserved_smem_offset_1", kReservedOffset},
};

uint64_t bits_of_immediate(const Operand& o, Type type) {
  uint64_t bits = static_cast<uint64_t>(o.value);
  if (o.kind == Kind::kFloat64 && bits_of(type) <= 32) {
    double value;
    std::memcpy(&value, &bits, 8);
    if (type == Type::kF16) return to_half(value);
    const float narrow = static_cast<float>(value);
    uint32_t word;
    std::memcpy(&word, &narrow, 4);
    return word;
  }
  if (o.kind == Kind::kFloat32 && bits_of(type) == 64) {
    float value;
    const uint32_t word = static_cast<uint32_t>(bits);
    std::memcpy(&value, &word, 4);
    const double wide = value;
    std::memcpy(&bits, &wide, 8);
  }
  return bits;
}

}  // namespace

uint32_t Registers::constant(uint64_t value, int bits) {
  if (bits != 64) value = static_cast<uint32_t>(value);
  const auto [at, added] = constant_offsets.insert({{value, bits}, static_cast<uint32_t>(constants.size() * 8)});
  if (added) {
    if (bits == 64)
      constants.insert(constants.end(), kLanes, value);
    else
      constants.insert(constants.end(), kLanes / 2, value | value << 32);
  }
  return at->second;
}

uint32_t Registers::special(int special) {
  const auto [at, added] = specials.insert({special, next});
  if (added) next += special == kLocalBase ? 256 : 128;
  return at->second;
}

Build::Build(const Function& function, const Instruction& source, Symbols& symbols, Registers& registers)
    : words(source), source(source), function(function), symbols(symbols), registers(registers) {
  inst.source = &source;
}

void Build::fail(const std::string& what) const {
  throw Fault(Check::kInstruction, -1, std::string(source.opcode) + " (PTX line " + std::to_string(source.ptx_line) + "): " + what);
}

const Operand& Build::operand(size_t i) const {
  if (i >= operands()) fail("an operand is missing");
  return source.operands[i];
}

void Build::expect_operands(size_t least, size_t most) const {
  if (operands() < least || operands() > most)
    fail("expected " + std::to_string(least) + " operands but found " + std::to_string(operands()));
}

Type Build::register_type(const Operand& o) const {
  return o.kind == Kind::kRegister ? function.registers[static_cast<size_t>(o.reg)] : Type::kNone;
}

void Build::dst(const Operand& o) {
  if (o.kind == Kind::kSink) return sink();
  if (o.kind != Kind::kRegister || register_type(o) == Type::kPred) fail("the destination is not a register");
  refs.push_back({0});
  uses.push_back({o.reg, true});
}

void Build::dst_src(const Operand& o) {
  dst(o);
  src(o, register_type(o));
}

void Build::constant(uint64_t value, int bits) {
  refs.push_back({registers.constant(value, bits) | Ref::kConstant});
  uses.push_back({-1, false});
}

void Build::src(const Operand& o, Type type) {
  const int bits = bits_of(type) > 32 ? 64 : 32;
  switch (o.kind) {
    case Kind::kRegister: {
      const Type held = register_type(o);
      if (held == Type::kPred) fail("a predicate where a value is expected");
      if (bits_of(held) < bits_of(type) && !(bits_of(held) <= 32 && bits_of(type) <= 32)) fail("a register is too narrow");
      refs.push_back({0});
      uses.push_back({o.reg, false});
      return;
    }
    case Kind::kInteger:
    case Kind::kFloat32:
    case Kind::kFloat64: return constant(bits_of_immediate(o, type), bits);
    case Kind::kSink: return constant(0, bits);
    case Kind::kSymbol: break;
    default: fail("an operand of an unexpected kind");
  }
  for (const Name& name : kSpecials)
    if (o.name == name.name) {
      if (bits == 64) fail("a 64-bit use of " + std::string(o.name));
      refs.push_back({registers.special(name.special)});
      uses.push_back({-1, false});
      return;
    }
  const Symbols::Address at = symbols.address(function, source.scope, o.name);
  if (!at.found) fail("'" + std::string(o.name) + "' is not known here");
  if (at.local) fail("the address of a local variable in this place");
  constant(at.value + static_cast<uint64_t>(o.value), bits);
}

void Build::predicate_dst(const Operand& o) {
  if (o.kind == Kind::kSink) return sink();
  if (register_type(o) != Type::kPred) fail("the destination is not a predicate");
  refs.push_back({0});
  uses.push_back({o.reg, true});
}

void Build::predicate_src(const Operand& o) {
  if (o.kind == Kind::kInteger) return constant(o.value ? kFullMask : 0, 32);
  if (register_type(o) != Type::kPred) fail("a value where a predicate is expected");
  refs.push_back({o.negated ? Ref::kNegated : 0});
  uses.push_back({o.reg, false});
}

void Build::address(const Operand& o, Space space) {
  if (o.kind != Kind::kAddress) fail("expected an address in brackets");
  const Operand& base = o.items[0];
  inst.space = space;
  inst.imm = o.value;
  inst.wide_src = true;
  if (base.kind == Kind::kRegister) {
    const int bits = bits_of(register_type(base));
    if (bits != 32 && bits != 64) fail("an address in a register that is neither 32 nor 64 bits wide");
    inst.wide_src = bits == 64;
    return src(base, bits == 64 ? Type::kU64 : Type::kU32);
  }
  if (base.kind == Kind::kInteger) return constant(0, 64);
  const Symbols::Address at = symbols.address(function, source.scope, base.name);
  if (!at.found) fail("'" + std::string(base.name) + "' is not known here");
  inst.imm += static_cast<int64_t>(at.value);
  if (at.local) {
    refs.push_back({registers.special(kLocalBase)});
    uses.push_back({-1, false});
    inst.space = Space::kLocal;
  } else {
    if (space == Space::kGeneric && at.space == Space::kShared) inst.space = Space::kShared;
    constant(0, 64);
  }
}

void Build::plain(Handler run, Type type, size_t sources) {
  if (!run) fail("not with type ." + std::string(type_name(type)));
  expect_operands(sources + 1, sources + 1);
  inst.run = run;
  inst.type = type;
  dst(0);
  for (size_t i = 1; i <= sources; ++i) src(i, type);
}

int64_t Build::integer(size_t i) const {
  if (operand(i).kind != Kind::kInteger) fail("expected an immediate");
  return operand(i).value;
}

}  // namespace gpusim

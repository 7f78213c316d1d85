// mov in all its forms (with packing, of addresses, of clocks), nanosleep, pmevent.
#include <chrono>

#include "build.h"
#include "lanes.h"

namespace gpusim {
namespace {

template <class S>
void run_copy(Warp& w, const Inst& in, Mask active) {
  alignas(64) S values[kLanes];
  std::memcpy(values, w.src<S>(in.refs[1]), sizeof values);
  w.commit(in.refs[0], values, active);
}

void run_local_address(Warp& w, const Inst& in, Mask active) {
  alignas(64) uint64_t out[kLanes];
  for (int i = 0; i < kLanes; ++i) out[i] = w.src<uint64_t>(in.refs[1])[i] + static_cast<uint64_t>(in.imm);
  w.commit(in.refs[0], out, active);
}

uint64_t lane_bits(const Warp& w, Ref ref, int bits, int lane) {
  return bits == 64 ? w.src<uint64_t>(ref)[lane] : w.src<uint32_t>(ref)[lane];
}

void commit_bits(const Warp& w, Ref ref, int bits, const uint64_t* values, Mask active) {
  if (bits == 64) return w.commit(ref, values, active);
  uint32_t narrow[kLanes];
  for (int i = 0; i < kLanes; ++i) narrow[i] = static_cast<uint32_t>(values[i]);
  w.commit(ref, narrow, active);
}

// in.n elements of in.bytes bytes, the first lowest.
void run_pack(Warp& w, const Inst& in, Mask active) {
  alignas(64) uint64_t out[kLanes] = {};
  const int bits = in.bytes * 8;
  for (int e = 0; e < in.n; ++e)
    for (int i = 0; i < kLanes; ++i) {
      const uint64_t part = lane_bits(w, in.refs[1 + e], bits, i) & (~uint64_t{0} >> (64 - bits));
      out[i] |= part << bits * e;
    }
  commit_bits(w, in.refs[0], bits * in.n, out, active);
}
void run_unpack(Warp& w, const Inst& in, Mask active) {
  const int bits = in.bytes * 8;
  alignas(64) uint64_t whole[kLanes], out[kLanes];
  for (int i = 0; i < kLanes; ++i) whole[i] = lane_bits(w, in.refs[0], bits * in.n, i);
  for (int e = 0; e < in.n; ++e) {
    for (int i = 0; i < kLanes; ++i) out[i] = whole[i] >> bits * e & (~uint64_t{0} >> (64 - bits));
    commit_bits(w, in.refs[1 + e], bits, out, active);
  }
}

// Clocks: time is not modelled; they tell the instructions that this worker has run, so that they go on.
template <class S, bool kNanoseconds>
void run_clock(Warp& w, const Inst& in, Mask active) {
  const uint64_t now =
      kNanoseconds ? static_cast<uint64_t>(
                         std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count())
                   : w.counters.warps_total();
  alignas(64) S out[kLanes];
  for (S& v : out) v = static_cast<S>(in.a ? now >> 32 : now);
  w.commit(in.refs[0], out, active);
}

void run_nothing(Warp&, const Inst&, Mask) {}

bool select_clock(Build& b, std::string_view name, bool wide) {
  const bool nanoseconds = name.substr(0, 12) == "%globaltimer";
  if (!nanoseconds && name.substr(0, 6) != "%clock") return false;
  b.inst.a = name.size() > 3 && name.substr(name.size() - 3) == "_hi";
  b.inst.run = wide ? (nanoseconds ? run_clock<uint64_t, true> : run_clock<uint64_t, false>)
                    : (nanoseconds ? run_clock<uint32_t, true> : run_clock<uint32_t, false>);
  b.dst(0);
  return true;
}

void select_pack(Build& b, const Operand& vector, const Operand& whole, bool pack) {
  b.inst.n = static_cast<uint8_t>(vector.items.size());
  b.inst.bytes = static_cast<uint8_t>(bytes_of(b.inst.type) / std::max<int>(b.inst.n, 1));
  if (b.inst.n < 2 || b.inst.bytes * b.inst.n != bytes_of(b.inst.type) || bits_of(b.inst.type) > 64) b.fail("a vector of this length");
  const Type part = b.inst.bytes == 4 ? Type::kB32 : b.inst.bytes == 2 ? Type::kB16 : Type::kB8;
  b.inst.run = pack ? run_pack : run_unpack;
  if (pack)
    b.dst(whole);
  else
    b.src(whole, b.inst.type);
  for (const Operand& item : vector.items) {
    if (pack)
      b.src(item, part);
    else
      b.dst(item);
  }
}

}  // namespace

bool select_move(Build& b) {
  const std::string_view op = b.words.base();
  b.inst.cls = Class::kMove;
  if (op == "nanosleep" || op == "pmevent" || op == "griddepcontrol" || op == "setmaxnreg") {
    while (!b.words.left_over().empty()) b.words.has(b.words.left_over());
    b.inst.run = run_nothing;
    return true;
  }
  if (op != "mov") return false;
  b.expect_operands(2, 2);
  b.inst.type = b.words.type();
  const bool wide = bits_of(b.inst.type) == 64;
  if (bits_of(b.inst.type) > 64) b.fail("128-bit registers are not supported");
  const Operand &to = b.operand(0), &from = b.operand(1);
  if (from.kind == Operand::Kind::kVector) return select_pack(b, from, to, true), true;
  if (to.kind == Operand::Kind::kVector) return select_pack(b, to, from, false), true;
  if (from.kind == Operand::Kind::kSymbol) {
    if (select_clock(b, from.name, wide)) return true;
    const Symbols::Address at = b.symbols.address(b.function, b.source.scope, from.name);
    if (at.found && at.local) {
      b.inst.run = run_local_address;
      b.inst.imm = static_cast<int64_t>(at.value) + from.value;
      b.dst(0);
      b.refs.push_back({b.registers.special(kLocalBase)});
      b.uses.push_back({-1, false});
      return true;
    }
  }
  b.inst.run = wide ? run_copy<uint64_t> : run_copy<uint32_t>;
  b.dst(0);
  b.src(1, b.inst.type);
  return true;
}

}  // namespace gpusim

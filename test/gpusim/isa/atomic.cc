// atom and red: all operations, types and widths, on global and shared memory.
#include "../memory/device_memory.h"
#include "access.h"
#include "build.h"
#include "float_math.h"

namespace gpusim {
namespace {

enum Op : uint8_t { kAdd, kMin, kMax, kInc, kDec, kAnd, kOr, kXor, kExch, kCas };

template <class T>
T combine(Op op, T old, T a, T b) {
  switch (op) {
    case kAdd: return static_cast<T>(static_cast<std::make_unsigned_t<T>>(old) + static_cast<std::make_unsigned_t<T>>(a));
    case kMin: return a < old ? a : old;
    case kMax: return a > old ? a : old;
    case kInc: return old >= a ? 0 : static_cast<T>(old + 1);
    case kDec: return old == 0 || old > a ? a : static_cast<T>(old - 1);
    case kAnd: return old & a;
    case kOr: return old | a;
    case kXor: return old ^ a;
    case kCas: return old == a ? b : old;
    default: return a;
  }
}

uint16_t half_op(Op op, uint16_t old, uint16_t a) {
  const float x = half_to_float(old), y = half_to_float(a);
  return op == kAdd ? float_to_half(x + y) : op == kMin ? (y < x || x != x ? a : old) : (y > x || x != x ? a : old);
}
uint16_t bfloat_op(Op op, uint16_t old, uint16_t a) {
  const float x = bfloat_to_float(old), y = bfloat_to_float(a);
  return op == kAdd ? to_bfloat(double{x} + double{y}) : op == kMin ? (y < x || x != x ? a : old) : (y > x || x != x ? a : old);
}

// The new bits.
uint64_t apply(const Inst& in, uint64_t old, uint64_t a, uint64_t b) {
  const Op op = static_cast<Op>(in.a);
  const auto pair = [&](auto one) {
    const auto o = static_cast<uint32_t>(old), v = static_cast<uint32_t>(a);
    return one(op, static_cast<uint16_t>(o), static_cast<uint16_t>(v)) |
           static_cast<uint32_t>(one(op, static_cast<uint16_t>(o >> 16), static_cast<uint16_t>(v >> 16))) << 16;
  };
  switch (in.type) {
    case Type::kF32:
      return op == kAdd ? float_bits(canonical(bits_float(static_cast<uint32_t>(old)) + bits_float(static_cast<uint32_t>(a)))) : a;
    case Type::kF64: return op == kAdd ? double_bits(bits_double(old) + bits_double(a)) : a;
    case Type::kF16: return half_op(op, static_cast<uint16_t>(old), static_cast<uint16_t>(a));
    case Type::kBf16: return bfloat_op(op, static_cast<uint16_t>(old), static_cast<uint16_t>(a));
    case Type::kF16x2: return pair(half_op);
    case Type::kBf16x2: return pair(bfloat_op);
    case Type::kS32:
      return static_cast<uint32_t>(combine<int32_t>(op, static_cast<int32_t>(old), static_cast<int32_t>(a), static_cast<int32_t>(b)));
    case Type::kS64:
      return static_cast<uint64_t>(combine<int64_t>(op, static_cast<int64_t>(old), static_cast<int64_t>(a), static_cast<int64_t>(b)));
    case Type::kB16: return combine<uint16_t>(op, static_cast<uint16_t>(old), static_cast<uint16_t>(a), static_cast<uint16_t>(b));
    case Type::kU32:
    case Type::kB32: return combine<uint32_t>(op, static_cast<uint32_t>(old), static_cast<uint32_t>(a), static_cast<uint32_t>(b));
    default: return combine<uint64_t>(op, old, a, b);
  }
}

template <class T>
uint64_t exchange(const Inst& in, uint8_t* at, uint64_t a, uint64_t b) {
  T* p = reinterpret_cast<T*>(at);
  T old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(p, &old, static_cast<T>(apply(in, old, a, b)), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
  }
  return old;
}

// refs: destination (may be a sink), address, a, b.
void run_atomic(Warp& w, const Inst& in, Mask active) {
  alignas(64) uint64_t out[kLanes];
  const auto operand = [&](int ref, int lane) {
    return in.bytes == 8 ? w.src<uint64_t>(in.refs[ref])[lane] : w.src<uint32_t>(in.refs[ref])[lane];
  };
  if (w.block.launch.count_memory) count_access(w, in, in.refs[1], active, in.bytes, Access::kAtomic);
  for (int lane = 0; lane < kLanes; ++lane) {
    if (!(active >> lane & 1)) continue;
    const uint64_t a = operand(2, lane), b = operand(3, lane);
    uint8_t* at = resolve(w, in, lane, lane_address(w, in, in.refs[1], lane), in.bytes, Access::kAtomic);
    uint64_t old = 0;
    std::memcpy(&old, at, in.bytes);
    const uint64_t value = apply(in, old, a, b);
    note_shared_write(w, in, lane, at, &value, in.bytes);
    out[lane] = in.bytes == 8   ? exchange<uint64_t>(in, at, a, b)
                : in.bytes == 4 ? exchange<uint32_t>(in, at, a, b)
                                : exchange<uint16_t>(in, at, a, b);
  }
  if (in.bytes == 8) return w.commit(in.refs[0], out, active);
  uint32_t narrow[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) narrow[lane] = active >> lane & 1 ? static_cast<uint32_t>(out[lane]) : 0;
  w.commit(in.refs[0], narrow, active);
}

}  // namespace

bool select_atomic(Build& b) {
  const std::string_view op = b.words.base();
  if (op != "atom" && op != "red") return false;
  const bool returns = op == "atom";
  Inst& in = b.inst;
  in.cls = Class::kAtomic;
  in.strong = true;
  const int space = b.words.one_of({"global", "shared", "shared::cta"});
  const bool orders = b.words.one_of({"relaxed", "acquire", "release", "acq_rel"}) >= 0;
  (void)orders;
  b.words.one_of({"cta", "gpu", "sys", "cluster"});
  b.words.has("noftz");
  b.words.starts("L2::");
  const int which = b.words.one_of({"add", "min", "max", "inc", "dec", "and", "or", "xor", "exch", "cas"});
  if (which < 0) b.fail("unknown operation");
  in.a = static_cast<uint8_t>(which);
  in.type = b.words.type();
  in.bytes = static_cast<uint8_t>(bytes_of(in.type));
  if (in.bytes != 2 && in.bytes != 4 && in.bytes != 8) b.fail("not with this type");
  if ((in.type == Type::kF32 || in.type == Type::kF64) && which != kAdd && which != kExch) b.fail("not with this type");
  in.run = run_atomic;
  if (returns)
    b.dst(0);
  else
    b.sink();
  const size_t first = returns ? 1 : 0;
  b.address(b.operand(first), space < 0 ? Space::kGeneric : space == 0 ? Space::kGlobal : Space::kShared);
  const Type held = in.type == Type::kF16x2 || in.type == Type::kBf16x2 ? Type::kB32 : in.type;
  b.src(first + 1, held);
  if (which == kCas)
    b.src(first + 2, held);
  else
    b.constant(0, in.bytes == 8 ? 64 : 32);
  return true;
}

}  // namespace gpusim

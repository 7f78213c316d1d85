// setp, set, selp, slct.
#include "build.h"
#include "float_math.h"
#include "lanes.h"

namespace gpusim {
namespace {

enum Comparison : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kEqu, kNeu, kLtu, kLeu, kGtu, kGeu, kNum, kNan };
enum Join : uint8_t { kNone, kAnd, kOr, kXor };

template <class T>
bool holds(uint8_t comparison, T a, T b) {
  switch (comparison) {
    case kEq: return a == b;
    case kNe: return a < b || a > b;
    case kLt: return a < b;
    case kLe: return a <= b;
    case kGt: return a > b;
    case kGe: return a >= b;
    case kEqu: return !(a < b || a > b);
    case kNeu: return a != b;
    case kLtu: return !(a >= b);
    case kLeu: return !(a > b);
    case kGtu: return !(a <= b);
    case kGeu: return !(a < b);
    case kNum: return a == a && b == b;
    default: return a != a || b != b;
  }
}

struct HalfValue {
  using Raw = uint32_t;
  static float of(uint32_t v) { return half_to_float(static_cast<uint16_t>(v)); }
};
struct BfloatValue {
  using Raw = uint32_t;
  static float of(uint32_t v) { return bfloat_to_float(static_cast<uint16_t>(v)); }
};
template <class T>
struct Value {
  using Raw = T;
  static T of(T v) { return v; }
};

// One loop for each comparison, so that it has no branch in it.
template <class V>
Mask compare(Warp& w, Ref left, Ref right, uint8_t comparison, bool ftz, int shift = 0) {
  using Raw = typename V::Raw;
  const Slot<Raw>*x = w.src<Raw>(left), *y = w.src<Raw>(right);
  uint8_t bits[kLanes];
  const auto lane = [&](int i, const Slot<Raw>* from) {
    auto v = V::of(from_slot<Raw>(static_cast<Slot<Raw>>(from[i] >> shift)));
    if constexpr (std::is_same_v<decltype(v), float>)
      return ftz ? flush(v) : v;
    else
      return v;
  };
#define GPUSIM_CASE(c)                                                           \
  case c:                                                                        \
    for (int i = 0; i < kLanes; ++i) bits[i] = holds(c, lane(i, x), lane(i, y)); \
    break;
  switch (comparison) {
    GPUSIM_CASE(kEq)
    GPUSIM_CASE(kNe)
    GPUSIM_CASE(kLt)
    GPUSIM_CASE(kLe)
    GPUSIM_CASE(kGt) GPUSIM_CASE(kGe) default : for (int i = 0; i < kLanes; ++i) bits[i] = holds(comparison, lane(i, x), lane(i, y));
  }
#undef GPUSIM_CASE
  return pack_mask(bits);
}

Mask join(uint8_t how, Mask a, Mask b) { return how == kAnd ? a & b : how == kOr ? a | b : how == kXor ? a ^ b : a; }

// refs: p, q, a, b, c. in.a: comparison, in.b: join, in.c: ftz.
template <class V>
void run_setp(Warp& w, const Inst& in, Mask active) {
  const Mask value = compare<V>(w, in.refs[2], in.refs[3], in.a, in.c), c = w.predicate(in.refs[4]);
  w.set_predicate(in.refs[0], join(in.b, value, c), active);
  w.set_predicate(in.refs[1], join(in.b, ~value, c), active);
}
// Of pairs: p for the low halves, q for the high ones.
template <class V>
void run_setp_pair(Warp& w, const Inst& in, Mask active) {
  const Mask c = w.predicate(in.refs[4]);
  const Mask low = compare<V>(w, in.refs[2], in.refs[3], in.a, in.c), high = compare<V>(w, in.refs[2], in.refs[3], in.a, in.c, 16);
  w.set_predicate(in.refs[0], join(in.b, low, c), active);
  w.set_predicate(in.refs[1], join(in.b, high, c), active);
}
// refs: d, a, b, c. in.imm: what true is.
template <class V>
void run_set(Warp& w, const Inst& in, Mask active) {
  const Mask value = join(in.b, compare<V>(w, in.refs[1], in.refs[2], in.a, in.c), w.predicate(in.refs[3]));
  uint32_t out[kLanes];
  for (int i = 0; i < kLanes; ++i) out[i] = value >> i & 1 ? static_cast<uint32_t>(in.imm) : 0;
  w.commit(in.refs[0], out, active);
}
template <class V>
void run_set_pair(Warp& w, const Inst& in, Mask active) {
  const Mask c = w.predicate(in.refs[3]);
  const Mask low = join(in.b, compare<V>(w, in.refs[1], in.refs[2], in.a, in.c), c);
  const Mask high = join(in.b, compare<V>(w, in.refs[1], in.refs[2], in.a, in.c, 16), c);
  uint32_t out[kLanes];
  for (int i = 0; i < kLanes; ++i)
    out[i] = (low >> i & 1 ? static_cast<uint32_t>(in.imm) & 0xffff : 0) | (high >> i & 1 ? static_cast<uint32_t>(in.imm) << 16 : 0);
  w.commit(in.refs[0], out, active);
}

template <class S>
void run_selp(Warp& w, const Inst& in, Mask active) {
  alignas(64) S out[kLanes];
  const S *a = w.src<S>(in.refs[1]), *b = w.src<S>(in.refs[2]);
  const Mask p = w.predicate(in.refs[3]);
  for (int i = 0; i < kLanes; ++i) out[i] = p >> i & 1 ? a[i] : b[i];
  w.commit(in.refs[0], out, active);
}
template <class S, class C>
void run_slct(Warp& w, const Inst& in, Mask active) {
  alignas(64) S out[kLanes];
  const S *a = w.src<S>(in.refs[1]), *b = w.src<S>(in.refs[2]);
  const uint32_t* c = w.src<uint32_t>(in.refs[3]);
  for (int i = 0; i < kLanes; ++i) out[i] = from_slot<C>(c[i]) >= 0 ? a[i] : b[i];
  w.commit(in.refs[0], out, active);
}

template <template <class> class Run>
Handler with_value(Type type) {
  switch (type) {
    case Type::kF32: return Run<Value<float>>::handler;
    case Type::kF64: return Run<Value<double>>::handler;
    case Type::kF16:
    case Type::kF16x2: return Run<HalfValue>::handler;
    case Type::kBf16:
    case Type::kBf16x2: return Run<BfloatValue>::handler;
    default: return with_integer(type, [](auto t) -> Handler { return Run<Value<decltype(t)>>::handler; });
  }
}
template <class V>
struct Setp {
  static constexpr Handler handler = run_setp<V>;
};
template <class V>
struct Set {
  static constexpr Handler handler = run_set<V>;
};

void comparison(Build& b, Type type) {
  int c = b.words.one_of({"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"});
  if (c < 0) {
    c = b.words.one_of({"lo", "ls", "hi", "hs"});
    if (c < 0) b.fail("expected a comparison");
    c = std::initializer_list<int>{kLt, kLe, kGt, kGe}.begin()[c];
  }
  b.inst.a = static_cast<uint8_t>(c);
  b.inst.b = static_cast<uint8_t>(b.words.one_of({"and", "or", "xor"}) + 1);
  b.inst.c = b.words.has("ftz");
  b.inst.type = type;
}

}  // namespace

bool select_compare(Build& b) {
  const std::string_view op = b.words.base();
  b.inst.cls = Class::kCompare;
  if (op == "setp") {
    const Type type = b.words.type();
    comparison(b, type);
    const bool pair = type == Type::kF16x2 || type == Type::kBf16x2;
    b.inst.run = pair ? (type == Type::kF16x2 ? run_setp_pair<HalfValue> : run_setp_pair<BfloatValue>) : with_value<Setp>(type);
    if (!b.inst.run) b.fail("not with this type");
    const Operand& d = b.operand(0);
    if (d.kind == Operand::Kind::kPair)
      b.predicate_dst(d.items[0]), b.predicate_dst(d.items[1]);
    else
      b.predicate_dst(d), b.sink();
    b.src(1, type), b.src(2, type);
    b.expect_operands(b.inst.b ? 4 : 3, b.inst.b ? 4 : 3);
    if (b.inst.b)
      b.predicate_src(b.operand(3));
    else
      b.constant(0, 32);
  } else if (op == "set") {
    const Type result = b.words.type(), type = b.words.type(1);
    comparison(b, type);
    const bool pair = type == Type::kF16x2 || type == Type::kBf16x2;
    b.inst.imm = result == Type::kF32      ? 0x3f800000
                 : result == Type::kF16x2  ? 0x3c003c00
                 : result == Type::kF16    ? 0x3c00
                 : result == Type::kBf16   ? 0x3f80
                 : result == Type::kBf16x2 ? 0x3f803f80
                                           : 0xffffffff;
    b.inst.run = pair ? (type == Type::kF16x2 ? run_set_pair<HalfValue> : run_set_pair<BfloatValue>) : with_value<Set>(type);
    if (!b.inst.run) b.fail("not with this type");
    b.dst(0), b.src(1, type), b.src(2, type);
    if (b.inst.b)
      b.predicate_src(b.operand(3));
    else
      b.constant(0, 32);
  } else if (op == "selp") {
    const Type type = b.words.type();
    b.inst.run = bits_of(type) == 64 ? run_selp<uint64_t> : run_selp<uint32_t>;
    b.expect_operands(4, 4);
    b.dst(0), b.src(1, type), b.src(2, type), b.predicate_src(b.operand(3));
  } else if (op == "slct") {
    const Type type = b.words.type(), by = b.words.type(1);
    b.words.has("ftz");
    const bool wide = bits_of(type) == 64, f = by == Type::kF32;
    b.inst.run = wide ? (f ? run_slct<uint64_t, float> : run_slct<uint64_t, int32_t>)
                      : (f ? run_slct<uint32_t, float> : run_slct<uint32_t, int32_t>);
    b.expect_operands(4, 4);
    b.dst(0), b.src(1, type), b.src(2, type), b.src(3, by);
  } else {
    return false;
  }
  return true;
}

}  // namespace gpusim

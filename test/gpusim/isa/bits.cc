// Bits: and or xor not cnot lop3 shl shr shf bfe bfi bfind brev popc clz fns prmt bmsk szext; and or xor not of predicates.
#include "build.h"
#include "lanes.h"

namespace gpusim {
namespace {

template <class T>
struct And {
  T operator()(T a, T b) const { return a & b; }
};
template <class T>
struct Or {
  T operator()(T a, T b) const { return a | b; }
};
template <class T>
struct Xor {
  T operator()(T a, T b) const { return a ^ b; }
};
template <class T>
struct Not {
  T operator()(T a) const { return static_cast<T>(~a); }
};
template <class T>
struct Cnot {
  T operator()(T a) const { return a == 0; }
};

struct Lop3 {
  uint32_t operator()(const Inst& in, uint32_t a, uint32_t b, uint32_t c) const {
    const uint32_t table = static_cast<uint32_t>(in.imm);
    uint32_t out = 0;  // the row of the truth table that bits of a, b, c select
    for (int row = 0; row < 8; ++row) {
      const uint32_t chosen = (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
      out |= table >> row & 1 ? chosen : 0;
    }
    return out;
  }
};

// The shift is clamped to the width.
template <class T>
struct Shl {
  T operator()(T a, uint32_t n) const { return n >= 8 * sizeof(T) ? 0 : static_cast<T>(static_cast<uint64_t>(a) << n); }
};
template <class T>
struct Shr {
  T operator()(T a, uint32_t n) const {
    constexpr uint32_t bits = 8 * sizeof(T);
    return n >= bits ? static_cast<T>(a < 0 ? -1 : 0) : static_cast<T>(a >> n);
  }
};
// in.a: wrap. Low and high word joined, then shifted.
struct ShfL {
  uint32_t operator()(const Inst& in, uint32_t low, uint32_t high, uint32_t n) const {
    n = in.a ? n & 31 : (n < 32 ? n : 32);
    return static_cast<uint32_t>((uint64_t{high} << 32 | low) << n >> 32);
  }
};
struct ShfR {
  uint32_t operator()(const Inst& in, uint32_t low, uint32_t high, uint32_t n) const {
    n = in.a ? n & 31 : (n < 32 ? n : 32);
    return static_cast<uint32_t>((uint64_t{high} << 32 | low) >> n);
  }
};

template <class T>
struct Bfe {  // past the end of a, and past len, come copies of the sign
  T operator()(T a, uint32_t pos, uint32_t len) const {
    constexpr uint32_t bits = 8 * sizeof(T);
    using U = std::make_unsigned_t<T>;
    pos &= 255;
    len &= 255;
    const U u = static_cast<U>(a);
    const uint32_t top = pos + len - 1 < bits ? pos + len - 1 : bits - 1, room = pos < bits ? bits - pos : 0,
                   valid = len < room ? len : room;
    const U mask = valid >= bits ? ~U{0} : static_cast<U>((U{1} << valid) - 1);
    const bool sign = std::is_signed_v<T> && len > 0 && (u >> top & 1);
    const U field = static_cast<U>(pos < bits ? u >> pos : 0) & mask;
    return static_cast<T>(sign ? field | static_cast<U>(~mask) : field);
  }
};
template <class T>
struct Bfi {
  T operator()(T a, T b, uint32_t pos, uint32_t len) const {
    constexpr uint32_t bits = 8 * sizeof(T);
    pos &= 255;
    len &= 255;
    if (len == 0 || pos >= bits) return b;
    const T field = len >= bits ? ~T{0} : static_cast<T>((T{1} << len) - 1);
    const T mask = static_cast<T>(field << pos);
    return static_cast<T>((b & ~mask) | (a << pos & mask));
  }
};
template <class T>
struct Bfind {  // in.a: .shiftamt
  uint32_t operator()(const Inst& in, T a) const {
    using U = std::make_unsigned_t<T>;
    constexpr int bits = 8 * sizeof(T);
    const U u = a < 0 ? static_cast<U>(~a) : static_cast<U>(a);
    if (u == 0) return 0xffffffffu;
    const int top = bits == 64 ? 63 - __builtin_clzll(u) : 31 - __builtin_clz(static_cast<uint32_t>(u));
    return static_cast<uint32_t>(in.a ? bits - 1 - top : top);
  }
};
struct Brev32 {
  uint32_t operator()(uint32_t a) const {
    a = (a >> 1 & 0x55555555) | (a & 0x55555555) << 1;
    a = (a >> 2 & 0x33333333) | (a & 0x33333333) << 2;
    a = (a >> 4 & 0x0f0f0f0f) | (a & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(a);
  }
};
struct Brev64 {
  uint64_t operator()(uint64_t a) const {
    return uint64_t{Brev32()(static_cast<uint32_t>(a))} << 32 | Brev32()(static_cast<uint32_t>(a >> 32));
  }
};
struct Popc32 {
  uint32_t operator()(uint32_t a) const { return static_cast<uint32_t>(__builtin_popcount(a)); }
};
struct Popc64 {
  uint32_t operator()(uint64_t a) const { return static_cast<uint32_t>(__builtin_popcountll(a)); }
};
struct Clz32 {
  uint32_t operator()(uint32_t a) const { return a ? static_cast<uint32_t>(__builtin_clz(a)) : 32; }
};
struct Clz64 {
  uint32_t operator()(uint64_t a) const { return a ? static_cast<uint32_t>(__builtin_clzll(a)) : 64; }
};

struct Fns {  // the n-th set bit from `base` on, upwards for n > 0
  uint32_t operator()(uint32_t mask, uint32_t base, int32_t n) const {
    base &= 31;
    if (n == 0) return mask >> base & 1 ? base : 0xffffffffu;
    const int step = n > 0 ? 1 : -1;
    uint32_t left = n > 0 ? static_cast<uint32_t>(n) : 0u - static_cast<uint32_t>(n);
    for (int i = static_cast<int>(base); i >= 0 && i < 32; i += step)
      if (mask >> i & 1 && --left == 0) return static_cast<uint32_t>(i);
    return 0xffffffffu;
  }
};

struct Prmt {  // in.a: mode; 0: the general one
  uint32_t operator()(const Inst& in, uint32_t a, uint32_t b, uint32_t c) const {
    static constexpr uint16_t selectors[7][4] = {{},
                                                 {0x3210, 0x4321, 0x5432, 0x6543},
                                                 {0x5670, 0x6701, 0x7012, 0x0123},
                                                 {0x0000, 0x1111, 0x2222, 0x3333},
                                                 {0x3210, 0x3211, 0x3222, 0x3333},
                                                 {0x0000, 0x1110, 0x2210, 0x3210},
                                                 {0x1010, 0x3232, 0x1010, 0x3232}};
    const uint32_t selector = in.a ? selectors[in.a][c & 3] : c;
    const uint64_t bytes = uint64_t{b} << 32 | a;
    uint32_t out = 0;
    for (int i = 0; i < 4; ++i) {
      const uint32_t nibble = selector >> 4 * i & 15;
      uint32_t byte = static_cast<uint32_t>(bytes >> 8 * (nibble & 7)) & 255;
      if (nibble & 8) byte = byte & 128 ? 255 : 0;
      out |= byte << 8 * i;
    }
    return out;
  }
};

struct Bmsk {  // in.a: wrap
  uint32_t operator()(const Inst& in, uint32_t a, uint32_t b) const {
    const uint32_t pos = in.a ? a & 31 : a, len = in.a ? b & 31 : b;
    if (pos >= 32 || len == 0) return 0;
    return (len >= 32 ? 0xffffffffu : (1u << len) - 1) << pos;
  }
};
template <class T>
struct Szext {  // in.a: wrap
  T operator()(const Inst& in, T a, uint32_t n) const {
    if (in.a) n &= 31;
    if (n >= 32) return a;
    if (n == 0) return 0;
    if constexpr (std::is_signed_v<T>)
      return static_cast<T>(static_cast<uint32_t>(a) << (32 - n)) >> (32 - n);
    else
      return a & ((1u << n) - 1);
  }
};

template <int kOp>
void run_predicates(Warp& w, const Inst& in, Mask active) {
  const Mask a = w.predicate(in.refs[1]);
  if (kOp == 3) return w.set_predicate(in.refs[0], ~a, active);
  if (kOp == 4) return w.set_predicate(in.refs[0], a, active);
  const Mask b = w.predicate(in.refs[2]);
  w.set_predicate(in.refs[0], kOp == 0 ? a & b : kOp == 1 ? a | b : a ^ b, active);
}

bool select_predicates(Build& b) {
  static constexpr Handler handlers[] = {run_predicates<0>, run_predicates<1>, run_predicates<2>, run_predicates<3>, run_predicates<4>};
  const std::string_view op = b.words.base();
  const int which = op == "and" ? 0 : op == "or" ? 1 : op == "xor" ? 2 : op == "not" ? 3 : op == "mov" ? 4 : -1;
  if (which < 0) return false;
  b.inst.run = handlers[which];
  b.predicate_dst(b.operand(0));
  for (size_t i = 1; i < b.operands(); ++i) b.predicate_src(b.operand(i));
  b.expect_operands(which < 3 ? 3 : 2, which < 3 ? 3 : 2);
  return true;
}

template <template <class> class Op>
Handler shift(Type type) {
  return with_integer(type, [](auto t) -> Handler { return run_lanes<Op<decltype(t)>, decltype(t), decltype(t), uint32_t>; });
}

void select_lop3(Build& b) {
  const int join = b.words.one_of({"and", "or"});
  if (join >= 0) b.fail("the form with a predicate is not supported");
  b.inst.imm = b.integer(4);
  b.inst.run = run_lanes_with<Lop3, uint32_t, uint32_t, uint32_t, uint32_t>;
  b.dst(0);
  for (size_t i = 1; i < 4; ++i) b.src(i, Type::kB32);
}

}  // namespace

bool select_bits(Build& b) {
  const std::string_view op = b.words.base();
  Type type = b.words.type();
  b.inst.cls = Class::kLogic;
  if (type == Type::kPred && select_predicates(b)) return true;
  const bool wide = bits_of(type) == 64;
  const auto value_then_u32 = [&](Handler run, size_t sources) {
    if (!run) b.fail("not with this type");
    b.expect_operands(sources + 1, sources + 1);
    b.inst.run = run;
    b.dst(0);
    b.src(1, type);
    for (size_t i = 2; i <= sources; ++i) b.src(i, Type::kU32);
  };
  if (op == "and" || op == "or" || op == "xor") {
    const int which = op == "and" ? 0 : op == "or" ? 1 : 2;
    b.plain(with_integer(type,
                         [which](auto t) {
                           using T = decltype(t);
                           return which == 0 ? binary<And, T>() : which == 1 ? binary<Or, T>() : binary<Xor, T>();
                         }),
            type, 2);
  } else if (op == "not" || op == "cnot") {
    const bool cnot = op == "cnot";
    b.plain(with_integer(type, [cnot](auto t) { return cnot ? unary<Cnot, decltype(t)>() : unary<Not, decltype(t)>(); }), type, 1);
  } else if (op == "lop3") {
    select_lop3(b);
  } else if (op == "shl") {
    value_then_u32(shift<Shl>(type), 2);
  } else if (op == "shr") {
    value_then_u32(shift<Shr>(type), 2);
  } else if (op == "shf") {
    const int direction = b.words.one_of({"l", "r"}), mode = b.words.one_of({"clamp", "wrap"});
    if (direction < 0 || mode < 0) b.fail("expected .l or .r and .clamp or .wrap");
    b.inst.a = static_cast<uint8_t>(mode);
    b.plain(direction == 0 ? run_lanes_with<ShfL, uint32_t, uint32_t, uint32_t, uint32_t>
                           : run_lanes_with<ShfR, uint32_t, uint32_t, uint32_t, uint32_t>,
            Type::kB32, 3);
  } else if (op == "bfe") {
    value_then_u32(with_integer(type,
                                [](auto t) -> Handler {
                                  using T = decltype(t);
                                  if constexpr (sizeof(T) >= 4)
                                    return run_lanes<Bfe<T>, T, T, uint32_t, uint32_t>;
                                  else
                                    return nullptr;
                                }),
                   3);
  } else if (op == "bfi") {
    b.inst.run = wide ? Handler(run_lanes<Bfi<uint64_t>, uint64_t, uint64_t, uint64_t, uint32_t, uint32_t>)
                      : Handler(run_lanes<Bfi<uint32_t>, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t>);
    b.dst(0);
    b.src(1, type), b.src(2, type), b.src(3, Type::kU32), b.src(4, Type::kU32);
  } else if (op == "bfind") {
    b.inst.a = b.words.has("shiftamt");
    b.plain(with_integer(type, [](auto t) -> Handler { return run_lanes_with<Bfind<decltype(t)>, uint32_t, decltype(t)>; }), type, 1);
  } else if (op == "brev") {
    b.plain(wide ? Handler(run_lanes<Brev64, uint64_t, uint64_t>) : Handler(run_lanes<Brev32, uint32_t, uint32_t>), type, 1);
  } else if (op == "popc") {
    b.plain(wide ? Handler(run_lanes<Popc64, uint32_t, uint64_t>) : Handler(run_lanes<Popc32, uint32_t, uint32_t>), type, 1);
  } else if (op == "clz") {
    b.plain(wide ? Handler(run_lanes<Clz64, uint32_t, uint64_t>) : Handler(run_lanes<Clz32, uint32_t, uint32_t>), type, 1);
  } else if (op == "fns") {
    b.plain(run_lanes<Fns, uint32_t, uint32_t, uint32_t, int32_t>, Type::kB32, 3);
  } else if (op == "prmt") {
    b.inst.a = static_cast<uint8_t>(b.words.one_of({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}) + 1);
    b.plain(run_lanes_with<Prmt, uint32_t, uint32_t, uint32_t, uint32_t>, Type::kB32, 3);
  } else if (op == "bmsk") {
    b.inst.a = b.words.one_of({"clamp", "wrap"}) == 1;
    b.plain(run_lanes_with<Bmsk, uint32_t, uint32_t, uint32_t>, Type::kB32, 2);
  } else if (op == "szext") {
    b.inst.a = b.words.one_of({"clamp", "wrap"}) == 1;
    b.plain(is_signed(type) ? Handler(run_lanes_with<Szext<int32_t>, int32_t, int32_t, uint32_t>)
                            : Handler(run_lanes_with<Szext<uint32_t>, uint32_t, uint32_t, uint32_t>),
            type, 2);
  } else {
    return false;
  }
  return true;
}

}  // namespace gpusim

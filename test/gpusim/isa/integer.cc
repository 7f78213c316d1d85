// Integer arithmetic: add sub mul mad mul24 mad24 sad div rem abs neg min max dp4a dp2a.
#include <algorithm>
#include <limits>

#include "build.h"
#include "lanes.h"

namespace gpusim {
namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
constexpr int kBits = 8 * sizeof(T);

template <class T>
struct Add {
  T operator()(T a, T b) const { return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b)); }
};
template <class T>
struct Sub {
  T operator()(T a, T b) const { return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b)); }
};
struct AddSat {
  int32_t operator()(int32_t a, int32_t b) const {
    const int64_t sum = int64_t{a} + b;
    return static_cast<int32_t>(std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX));
  }
};
struct SubSat {
  int32_t operator()(int32_t a, int32_t b) const { return static_cast<int32_t>(std::clamp<int64_t>(int64_t{a} - b, INT32_MIN, INT32_MAX)); }
};

template <class T>
T mul_lo(T a, T b) {
  return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
template <class T>
T mul_hi(T a, T b) {
  if constexpr (sizeof(T) == 8) {
    using Wide = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
    return static_cast<T>(static_cast<Wide>(a) * b >> 64);
  } else {
    using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    return static_cast<T>(static_cast<Wide>(a) * b >> kBits<T>);
  }
}
template <class T>
struct Wider;
template <>
struct Wider<uint8_t> {
  using type = uint16_t;
};
template <>
struct Wider<int8_t> {
  using type = int16_t;
};
template <>
struct Wider<uint16_t> {
  using type = uint32_t;
};
template <>
struct Wider<int16_t> {
  using type = int32_t;
};
template <>
struct Wider<uint32_t> {
  using type = uint64_t;
};
template <>
struct Wider<int32_t> {
  using type = int64_t;
};
template <>
struct Wider<uint64_t> {
  using type = uint64_t;
};  // not used: there is no mul.wide.u64
template <>
struct Wider<int64_t> {
  using type = int64_t;
};
template <class T>
using Wide = typename Wider<T>::type;

template <class T>
struct MulLo {
  T operator()(T a, T b) const { return mul_lo(a, b); }
};
template <class T>
struct MulHi {
  T operator()(T a, T b) const { return mul_hi(a, b); }
};
template <class T>
struct MulWide {
  Wide<T> operator()(T a, T b) const { return mul_lo<Wide<T>>(a, b); }
};
template <class T>
struct MadLo {
  T operator()(T a, T b, T c) const { return Add<T>()(mul_lo(a, b), c); }
};
template <class T>
struct MadHi {
  T operator()(T a, T b, T c) const { return Add<T>()(mul_hi(a, b), c); }
};
template <class T>
struct MadWide {
  Wide<T> operator()(T a, T b, Wide<T> c) const { return Add<Wide<T>>()(mul_lo<Wide<T>>(a, b), c); }
};
struct MadHiSat {
  int32_t operator()(int32_t a, int32_t b, int32_t c) const { return AddSat()(mul_hi(a, b), c); }
};

// Bits 0..31 (lo) or 16..47 (hi) of the product of the low 24 bits.
template <class T>
int64_t product24(T a, T b) {
  if constexpr (std::is_signed_v<T>)
    return int64_t{static_cast<int32_t>(static_cast<uint32_t>(a) << 8) >> 8} * (static_cast<int32_t>(static_cast<uint32_t>(b) << 8) >> 8);
  else
    return static_cast<int64_t>(uint64_t{a & 0xffffff} * (b & 0xffffff));
}
template <class T>
struct Mul24Lo {
  T operator()(T a, T b) const { return static_cast<T>(product24(a, b)); }
};
template <class T>
struct Mul24Hi {
  T operator()(T a, T b) const { return static_cast<T>(product24(a, b) >> 16); }
};
template <class T>
struct Mad24Lo {
  T operator()(T a, T b, T c) const { return Add<T>()(Mul24Lo<T>()(a, b), c); }
};
template <class T>
struct Mad24Hi {
  T operator()(T a, T b, T c) const { return Add<T>()(Mul24Hi<T>()(a, b), c); }
};
struct Mad24HiSat {
  int32_t operator()(int32_t a, int32_t b, int32_t c) const { return AddSat()(Mul24Hi<int32_t>()(a, b), c); }
};

template <class T>
struct Sad {
  T operator()(T a, T b, T c) const { return Add<T>()(c, a < b ? Sub<T>()(b, a) : Sub<T>()(a, b)); }
};
// Division by zero has no defined result; devices give all ones, and the dividend as remainder.
template <class T>
struct Div {
  T operator()(T a, T b) const {
    if (b == 0) return static_cast<T>(-1);
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Sub<T>()(0, a);
    return static_cast<T>(a / b);
  }
};
template <class T>
struct Rem {
  T operator()(T a, T b) const {
    if (b == 0) return a;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
template <class T>
struct Abs {
  T operator()(T a) const { return a < 0 ? Sub<T>()(0, a) : a; }
};
template <class T>
struct Neg {
  T operator()(T a) const { return Sub<T>()(0, a); }
};
template <class T>
struct Min {
  T operator()(T a, T b) const { return a < b ? a : b; }
};
template <class T>
struct Max {
  T operator()(T a, T b) const { return a > b ? a : b; }
};
template <class T>
struct MinRelu {
  T operator()(T a, T b) const { return std::max<T>(a < b ? a : b, 0); }
};
template <class T>
struct MaxRelu {
  T operator()(T a, T b) const { return std::max<T>(a > b ? a : b, 0); }
};

template <template <class> class Op, class H>
struct Pairs {  // two 16-bit values in a register
  uint32_t operator()(uint32_t a, uint32_t b) const {
    const auto low = static_cast<uint16_t>(Op<H>()(static_cast<H>(a), static_cast<H>(b)));
    const auto high = static_cast<uint16_t>(Op<H>()(static_cast<H>(a >> 16), static_cast<H>(b >> 16)));
    return low | static_cast<uint32_t>(high) << 16;
  }
};

// a: type of the first factor signed; b: of the second.
struct Dp4a {
  uint32_t operator()(const Inst& in, uint32_t a, uint32_t b, uint32_t c) const {
    for (int i = 0; i < 32; i += 8) {
      const int x = in.a ? static_cast<int8_t>(a >> i) : static_cast<uint8_t>(a >> i),
                y = in.b ? static_cast<int8_t>(b >> i) : static_cast<uint8_t>(b >> i);
      c += static_cast<uint32_t>(x * y);
    }
    return c;
  }
};
struct Dp2a {  // c: .hi, the upper two bytes of b
  uint32_t operator()(const Inst& in, uint32_t a, uint32_t b, uint32_t c) const {
    for (int i = 0; i < 2; ++i) {
      const int x = in.a ? static_cast<int16_t>(a >> 16 * i) : static_cast<uint16_t>(a >> 16 * i);
      const int at = 8 * i + 16 * in.c, y = in.b ? static_cast<int8_t>(b >> at) : static_cast<uint8_t>(b >> at);
      c += static_cast<uint32_t>(x * y);
    }
    return c;
  }
};

template <template <class> class Op>
Handler binary_integer(Type type) {
  return with_integer(type, [](auto t) { return binary<Op, decltype(t)>(); });
}
template <template <class> class Op>
Handler ternary_integer(Type type) {
  return with_integer(type, [](auto t) { return ternary<Op, decltype(t)>(); });
}
template <template <class> class Op>
Handler pairs(Type type) {
  if (type == Type::kU16x2) return run_lanes<Pairs<Op, uint16_t>, uint32_t, uint32_t, uint32_t>;
  return run_lanes<Pairs<Op, int16_t>, uint32_t, uint32_t, uint32_t>;
}

bool select_min_max(Build& b, Type type) {
  const bool max = b.words.base() == "max", relu = b.words.has("relu");
  if (type == Type::kU16x2 || type == Type::kS16x2) {
    b.plain(relu ? (max ? pairs<MaxRelu>(type) : pairs<MinRelu>(type)) : (max ? pairs<Max>(type) : pairs<Min>(type)), type, 2);
  } else {
    b.plain(relu ? (max ? binary_integer<MaxRelu>(type) : binary_integer<MinRelu>(type))
                 : (max ? binary_integer<Max>(type) : binary_integer<Min>(type)),
            type, 2);
  }
  return true;
}

void select_product(Build& b, Type type) {
  const bool mad = b.words.base() == "mad";
  const int part = b.words.one_of({"lo", "hi", "wide"});
  if (part < 0) b.fail("expected .lo, .hi or .wide");
  const bool sat = b.words.has("sat");
  if (part == 2) {
    if (bits_of(type) > 32) b.fail("not with 64 bits");
    b.expect_operands(mad ? 4 : 3, mad ? 4 : 3);
    b.inst.run =
        mad ? with_integer(type,
                           [](auto t) -> Handler {
                             return run_lanes<MadWide<decltype(t)>, Wide<decltype(t)>, decltype(t), decltype(t), Wide<decltype(t)>>;
                           })
            : with_integer(type,
                           [](auto t) -> Handler { return run_lanes<MulWide<decltype(t)>, Wide<decltype(t)>, decltype(t), decltype(t)>; });
    b.dst(0);
    b.src(1, type);
    b.src(2, type);
    if (mad) b.src(3, bits_of(type) == 32 ? Type::kU64 : Type::kU32);
  } else if (mad) {
    b.plain(sat && part == 1 ? run_lanes<MadHiSat, int32_t, int32_t, int32_t, int32_t>
            : part           ? ternary_integer<MadHi>(type)
                             : ternary_integer<MadLo>(type),
            type, 3);
  } else {
    b.plain(part ? binary_integer<MulHi>(type) : binary_integer<MulLo>(type), type, 2);
  }
}

}  // namespace

bool select_integer(Build& b) {
  const std::string_view op = b.words.base();
  const Type type = b.words.type();
  b.inst.cls = Class::kInteger;
  if (op == "dp4a" || op == "dp2a") {
    b.inst.a = is_signed(type);
    b.inst.b = is_signed(b.words.type(1));
    b.inst.c = op == "dp2a" && b.words.one_of({"lo", "hi"}) == 1;
    b.plain(op == "dp4a" ? run_lanes_with<Dp4a, uint32_t, uint32_t, uint32_t, uint32_t>
                         : run_lanes_with<Dp2a, uint32_t, uint32_t, uint32_t, uint32_t>,
            Type::kB32, 3);
    return true;
  }
  if (is_float(type) || type == Type::kNone) return false;
  const bool pair = type == Type::kU16x2 || type == Type::kS16x2;
  if (op == "min" || op == "max") return select_min_max(b, type);
  if (op == "add" || op == "sub") {
    if (b.words.has("cc")) return false;
    const bool add = op == "add";
    if (pair)
      b.plain(add ? pairs<Add>(type) : pairs<Sub>(type), type, 2);
    else if (b.words.has("sat"))
      b.plain(add ? run_lanes<AddSat, int32_t, int32_t, int32_t> : run_lanes<SubSat, int32_t, int32_t, int32_t>, type, 2);
    else
      b.plain(add ? binary_integer<Add>(type) : binary_integer<Sub>(type), type, 2);
  } else if (op == "mul" || op == "mad") {
    if (b.words.has("cc")) return false;
    select_product(b, type);
  } else if (op == "mul24") {
    const bool hi = b.words.one_of({"lo", "hi"}) == 1, s = is_signed(type);
    b.plain(s ? (hi ? binary<Mul24Hi, int32_t>() : binary<Mul24Lo, int32_t>())
              : (hi ? binary<Mul24Hi, uint32_t>() : binary<Mul24Lo, uint32_t>()),
            type, 2);
  } else if (op == "mad24") {
    const bool hi = b.words.one_of({"lo", "hi"}) == 1, s = is_signed(type), sat = b.words.has("sat");
    b.plain(sat ? run_lanes<Mad24HiSat, int32_t, int32_t, int32_t, int32_t>
            : s ? (hi ? ternary<Mad24Hi, int32_t>() : ternary<Mad24Lo, int32_t>())
                : (hi ? ternary<Mad24Hi, uint32_t>() : ternary<Mad24Lo, uint32_t>()),
            type, 3);
  } else if (op == "sad") {
    b.plain(ternary_integer<Sad>(type), type, 3);
  } else if (op == "div") {
    b.plain(binary_integer<Div>(type), type, 2);
  } else if (op == "rem") {
    b.plain(binary_integer<Rem>(type), type, 2);
  } else if (op == "abs" || op == "neg") {
    const bool abs = op == "abs";
    b.plain(with_integer(type, [abs](auto t) { return abs ? unary<Abs, decltype(t)>() : unary<Neg, decltype(t)>(); }), type, 1);
  } else {
    return false;
  }
  return true;
}

}  // namespace gpusim

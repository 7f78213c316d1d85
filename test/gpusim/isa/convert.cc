// cvt and cvt.pack: between integers and floats of all widths, with rounding and saturation.
#include <algorithm>
#include <cmath>
#include <limits>

#include "build.h"
#include "float_math.h"
#include "lanes.h"

namespace gpusim {
namespace {

constexpr uint8_t kFtz = 1, kSat = 2, kRelu = 4, kFinite = 8;
enum Rounding : uint8_t { kNone, kRn, kRz, kRm, kRp, kRna, kRni, kRzi, kRmi, kRpi };

Round round_of(uint8_t mode) {
  switch (mode) {
    case kRz:
    case kRzi: return Round::kZero;
    case kRm:
    case kRmi: return Round::kDown;
    case kRp:
    case kRpi: return Round::kUp;
    case kRna: return Round::kAway;
    default: return Round::kNearest;
  }
}

double round_integral(double x, uint8_t mode) {
  switch (round_of(mode)) {
    case Round::kZero: return std::trunc(x);
    case Round::kDown: return std::floor(x);
    case Round::kUp: return std::ceil(x);
    default: return std::nearbyint(x);
  }
}

struct Number {  // a value on its way: an integer, or a float as double
  bool is_float;
  double real;
  uint64_t bits;  // of integers, extended to 64
  bool negative;
};

uint64_t read_bits(const Warp& w, const Inst& in, Ref ref, int lane) {
  return in.wide_src ? w.src<uint64_t>(ref)[lane] : w.src<uint32_t>(ref)[lane];
}

double float_value(Type type, uint64_t bits, bool ftz) {
  switch (type) {
    case Type::kF16: return half_to_float(static_cast<uint16_t>(bits));
    case Type::kBf16: return bfloat_to_float(static_cast<uint16_t>(bits));
    case Type::kF32:
    case Type::kTf32: return ftz ? flush(bits_float(static_cast<uint32_t>(bits))) : bits_float(static_cast<uint32_t>(bits));
    case Type::kE4m3: return e4m3_to_float(static_cast<uint8_t>(bits));
    case Type::kE5m2: return e5m2_to_float(static_cast<uint8_t>(bits));
    default: return bits_double(bits);
  }
}

Number read_number(Type type, uint64_t bits, bool ftz) {
  if (is_float(type)) return {true, float_value(type, bits, ftz), 0, false};
  switch (type) {
    case Type::kS8: bits = static_cast<uint64_t>(static_cast<int8_t>(bits)); break;
    case Type::kS16: bits = static_cast<uint64_t>(static_cast<int16_t>(bits)); break;
    case Type::kS32: bits = static_cast<uint64_t>(static_cast<int32_t>(bits)); break;
    case Type::kU8:
    case Type::kB8: bits &= 0xff; break;
    case Type::kU16:
    case Type::kB16: bits &= 0xffff; break;
    case Type::kU32:
    case Type::kB32: bits &= 0xffffffff; break;
    default: break;
  }
  return {false, 0, bits, is_signed(type) && static_cast<int64_t>(bits) < 0};
}

uint64_t to_integer(const Number& n, const Inst& in, Type to, Type from) {
  const int bits = bits_of(to);
  const bool s = is_signed(to);
  const uint64_t most = s ? (uint64_t{1} << (bits - 1)) - 1 : bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  const int64_t least = s ? -static_cast<int64_t>(most) - 1 : 0;
  if (n.is_float) {
    if (std::isnan(n.real)) return from == Type::kF64 || bits == 64 ? uint64_t{1} << (bits - 1) : 0;
    const double r = round_integral(n.real, in.a);
    const double limit = std::ldexp(1.0, s ? bits - 1 : bits);
    if (r >= limit) return most;
    if (r < static_cast<double>(least)) return static_cast<uint64_t>(least);
    return s ? static_cast<uint64_t>(static_cast<int64_t>(r)) : static_cast<uint64_t>(r);
  }
  if (!(in.b & kSat)) return n.bits;
  if (n.negative) return s ? (static_cast<int64_t>(n.bits) < least ? static_cast<uint64_t>(least) : n.bits) : 0;
  return std::min(n.bits, most);
}

float narrow(double x, Round mode) {
  const RoundScope scope(mode);
  volatile double wide = x;
  volatile float result = static_cast<float>(wide);
  return result;
}

uint64_t from_double(double x, const Inst& in, Type to) {
  const Round mode = round_of(in.a);
  if (in.b & kSat) x = saturate(x);
  if (in.b & kRelu && !(x > 0)) x = std::isnan(x) ? x : 0;
  switch (to) {
    case Type::kF16: {
      const uint16_t h = to_half(x, mode);
      return in.b & kFinite && (h & 0x7fff) == 0x7c00 ? (h & 0x8000) | 0x7bff : h;
    }
    case Type::kBf16: {
      const uint16_t h = to_bfloat(x, mode);
      return in.b & kFinite && (h & 0x7fff) == 0x7f80 ? (h & 0x8000) | 0x7f7f : h;
    }
    case Type::kE4m3: return to_e4m3(x);
    case Type::kE5m2: return to_e5m2(x);
    case Type::kTf32: {
      const double r = round_to_format(x, 10, -126, mode);
      return float_bits(canonical(static_cast<float>(r))) & (std::isnan(r) ? 0xffffffffu : 0xffffe000u);
    }
    case Type::kF32: {
      float value = canonical(mode == Round::kNearest ? static_cast<float>(x) : narrow(x, mode));
      if (in.b & kFtz) value = flush(value);
      return float_bits(value);
    }
    default: return double_bits(x);
  }
}

uint64_t to_float(const Number& n, const Inst& in, Type to) {
  if (n.is_float) {
    const bool integral = in.a >= kRni;
    return from_double(integral ? round_integral(n.real, in.a) : n.real, in, to);
  }
  const RoundScope scope(round_of(in.a));
  if (to == Type::kF64) {
    volatile double value = n.negative ? static_cast<double>(static_cast<int64_t>(n.bits)) : static_cast<double>(n.bits);
    return double_bits(value);
  }
  if (to == Type::kF32) {
    volatile int64_t s = static_cast<int64_t>(n.bits);
    volatile uint64_t u = n.bits;
    volatile float value = n.negative ? static_cast<float>(s) : static_cast<float>(u);
    return float_bits(in.b & kSat ? saturate(value) : value);
  }
  // To 16 bits: from a double that is odd where it is not exact, so that it rounds once.
  const bool negative = n.negative;
  const uint64_t magnitude = negative ? 0 - n.bits : n.bits;
  double value = std::ldexp(static_cast<double>(magnitude >> 11 | ((magnitude & 0x7ff) != 0 && magnitude >> 53 ? 1 : 0)), 11);
  if (magnitude >> 53 == 0) value = static_cast<double>(magnitude);
  return from_double(negative ? -value : value, in, to);
}

// in.type: from; in.n: to (as a number).
void run_cvt(Warp& w, const Inst& in, Mask active) {
  const Type to = static_cast<Type>(in.n), from = in.type;
  alignas(64) uint64_t out[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    if (!(active >> i & 1)) continue;
    const Number n = read_number(from, read_bits(w, in, in.refs[1], i), in.b & kFtz);
    out[i] = is_float(to) ? to_float(n, in, to) : to_integer(n, in, to, from);
    if (!is_float(to) && bits_of(to) < 64) {  // a wider destination register takes the extended value
      const int shift = 64 - bits_of(to);
      out[i] = is_signed(to) ? static_cast<uint64_t>(static_cast<int64_t>(out[i] << shift) >> shift) : out[i] << shift >> shift;
    }
  }
  if (in.wide_dst) return w.commit(in.refs[0], out, active);
  uint32_t narrow[kLanes];
  for (int i = 0; i < kLanes; ++i) narrow[i] = active >> i & 1 ? static_cast<uint32_t>(out[i]) : 0;
  w.commit(in.refs[0], narrow, active);
}

// Integers to integers without saturation, the bulk of all conversions.
template <class To, class From>
struct Plain {
  To operator()(From a) const { return static_cast<To>(a); }
};

template <class From>
Handler plain_from(bool wide_dst) {
  using Wide = std::conditional_t<std::is_signed_v<From>, int64_t, uint64_t>;
  using Narrow = std::conditional_t<std::is_signed_v<From>, int32_t, uint32_t>;
  return wide_dst ? Handler(run_lanes<Plain<Wide, From>, Wide, From>) : Handler(run_lanes<Plain<Narrow, From>, Narrow, From>);
}

struct IntToFloat {
  float operator()(int32_t a) const { return static_cast<float>(a); }
};
struct UintToFloat {
  float operator()(uint32_t a) const { return static_cast<float>(a); }
};
struct HalfToFloat {
  float operator()(uint16_t a) const { return canonical(half_to_float(a)); }
};
struct BfloatToFloat {
  float operator()(uint16_t a) const { return canonical(bfloat_to_float(a)); }
};
struct FloatToHalf {
  uint16_t operator()(float a) const { return float_to_half(a); }
};

template <class To>
struct Truncate {
  To operator()(uint64_t a) const { return static_cast<To>(a); }
};
template <class To>
Handler truncate() {
  using Extended = std::conditional_t<std::is_signed_v<To>, int32_t, uint32_t>;
  return run_lanes<Truncate<To>, std::conditional_t<sizeof(To) == 8, To, Extended>, uint64_t>;
}

// A quick handler for what is common and simple, or null.
Handler quick(Type to, Type from, const Inst& in, bool wide_src) {
  if (!is_float(to) && !is_float(from) && !(in.b & kSat)) {
    if (wide_src && (bits_of(from) < 64 || (in.wide_dst && bits_of(to) < 64))) return nullptr;
    if (wide_src) return with_integer(to, [](auto t) { return truncate<decltype(t)>(); });
    // Narrowing: the bits of the source that remain, extended as the destination type says.
    const Type kept = bits_of(to) <= bits_of(from) ? to : from;
    return with_integer(kept, [&](auto t) { return plain_from<decltype(t)>(in.wide_dst); });
  }
  if (in.b != 0 || wide_src || in.wide_dst) return nullptr;
  if (to == Type::kF32 && from == Type::kS32 && in.a == kRn) return run_lanes<IntToFloat, float, int32_t>;
  if (to == Type::kF32 && from == Type::kU32 && in.a == kRn) return run_lanes<UintToFloat, float, uint32_t>;
  if (to == Type::kF32 && from == Type::kF16) return run_lanes<HalfToFloat, float, uint16_t>;
  if (to == Type::kF32 && from == Type::kBf16) return run_lanes<BfloatToFloat, float, uint16_t>;
  if (to == Type::kF16 && from == Type::kF32 && in.a == kRn) return run_lanes<FloatToHalf, uint16_t, float>;
  return nullptr;
}

// Two floats to a pair: the first source is the upper half. in.n: type of an element.
void run_cvt_pair(Warp& w, const Inst& in, Mask active) {
  uint32_t out[kLanes] = {};
  const Type to = static_cast<Type>(in.n);
  const int bits = bits_of(to);
  for (int i = 0; i < kLanes; ++i) {
    if (!(active >> i & 1)) continue;
    const double high = float_value(Type::kF32, w.src<uint32_t>(in.refs[1])[i], in.b & kFtz),
                 low = float_value(Type::kF32, w.src<uint32_t>(in.refs[2])[i], in.b & kFtz);
    out[i] = static_cast<uint32_t>(from_double(high, in, to) << bits | from_double(low, in, to));
  }
  w.commit(in.refs[0], out, active);
}

// A pair to a pair: in.type and in.n are the types of an element.
void run_cvt_pairs(Warp& w, const Inst& in, Mask active) {
  uint32_t out[kLanes] = {};
  const Type to = static_cast<Type>(in.n);
  const int from_bits = bits_of(in.type), to_bits = bits_of(to);
  for (int i = 0; i < kLanes; ++i) {
    if (!(active >> i & 1)) continue;
    const uint32_t v = w.src<uint32_t>(in.refs[1])[i];
    out[i] = static_cast<uint32_t>(from_double(float_value(in.type, v >> from_bits, false), in, to) << to_bits |
                                   from_double(float_value(in.type, v, false), in, to));
  }
  w.commit(in.refs[0], out, active);
}

// cvt.pack.sat: two 32-bit integers saturated into the low part, c shifted up. in.type: of an element.
void run_pack(Warp& w, const Inst& in, Mask active) {
  uint32_t out[kLanes] = {};
  const int bits = bits_of(in.type);
  Inst sat = in;
  sat.b = kSat;
  for (int i = 0; i < kLanes; ++i) {
    const auto part = [&](int ref) {
      const Number n = read_number(Type::kS32, w.src<uint32_t>(in.refs[ref])[i], false);
      return static_cast<uint32_t>(to_integer(n, sat, in.type, Type::kS32)) & ((1u << bits) - 1);
    };
    const uint32_t c = in.c ? w.src<uint32_t>(in.refs[3])[i] : 0;
    out[i] = (bits < 16 ? c << 2 * bits : 0) | part(1) << bits | part(2);
  }
  w.commit(in.refs[0], out, active);
}

Type element(Type pair) {
  switch (pair) {
    case Type::kF16x2: return Type::kF16;
    case Type::kBf16x2: return Type::kBf16;
    case Type::kE4m3x2: return Type::kE4m3;
    case Type::kE5m2x2: return Type::kE5m2;
    default: return Type::kNone;
  }
}

}  // namespace

bool select_convert(Build& b) {
  if (b.words.base() != "cvt") return false;
  Inst& in = b.inst;
  in.cls = Class::kConvert;
  const Type to = b.words.type(), from = b.words.type(1);
  in.a = static_cast<uint8_t>(b.words.one_of({"rn", "rz", "rm", "rp", "rna", "rni", "rzi", "rmi", "rpi"}) + 1);
  if (b.words.has("pack")) {
    b.words.has("sat");
    b.words.type(2);
    in.type = to;
    in.c = b.operands() == 4;
    in.run = run_pack;
    b.dst(0), b.src(1, Type::kS32), b.src(2, Type::kS32);
    if (in.c) b.src(3, Type::kB32);
    return true;
  }
  in.b = static_cast<uint8_t>((b.words.has("ftz") ? kFtz : 0) | (b.words.has("sat") ? kSat : 0) | (b.words.has("relu") ? kRelu : 0) |
                              (b.words.has("satfinite") ? kFinite : 0));
  in.type = from;
  in.n = static_cast<uint8_t>(to);
  if (element(to) != Type::kNone) {
    in.n = static_cast<uint8_t>(element(to));
    b.dst(0);
    if (b.operands() == 3) {
      in.run = run_cvt_pair;
      b.src(1, Type::kF32), b.src(2, Type::kF32);
      return true;
    }
    if (element(from) == Type::kNone) b.fail("not between these types");
    in.type = element(from);
    in.run = run_cvt_pairs;
    b.src(1, Type::kB32);
    return true;
  }
  if (to == Type::kNone || from == Type::kNone) b.fail("expected two types that are supported");
  b.expect_operands(2, 2);
  in.wide_dst = bits_of(b.register_type(b.operand(0))) == 64;
  in.wide_src = bits_of(b.register_type(b.operand(1))) == 64 || (b.register_type(b.operand(1)) == Type::kNone && bits_of(from) == 64);
  Handler run = quick(to, from, in, in.wide_src);
  in.run = run ? run : run_cvt;
  b.dst(0);
  b.src(1, in.wide_src ? (is_float(from) ? Type::kF64 : Type::kB64) : from);
  return true;
}

}  // namespace gpusim

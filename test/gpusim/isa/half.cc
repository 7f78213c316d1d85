// Half and bfloat16 arithmetic, single and in pairs: add sub mul fma neg abs min max tanh ex2. One rounding, from the exact result.
#include "build.h"
#include "float_math.h"
#include "lanes.h"

namespace gpusim {
namespace {

struct Half {
  static float widen(uint16_t v) { return half_to_float(v); }
  static uint16_t narrow(float v) { return float_to_half(v); }
  static uint16_t narrow_exactly(double v) { return to_half(v); }
  static uint16_t flush(uint16_t v) { return (v & 0x7c00) == 0 ? v & 0x8000 : v; }
};
struct Bfloat {
  static float widen(uint16_t v) { return bfloat_to_float(v); }
  static uint16_t narrow(float v) { return float_to_bfloat(v); }
  static uint16_t narrow_exactly(double v) { return to_bfloat(v); }
  static uint16_t flush(uint16_t v) { return (v & 0x7f80) == 0 ? v & 0x8000 : v; }
};

constexpr uint8_t kFtz = 1, kSat = 2, kRelu = 4, kNan = 8, kXorsign = 16;

// A float holds the sum, difference or product of two such numbers closely enough that rounding twice is rounding once.
template <class F>
struct Add {
  static uint16_t of(const Inst&, uint16_t a, uint16_t b, uint16_t) { return F::narrow_exactly(double{F::widen(a)} + double{F::widen(b)}); }
};
template <>
struct Add<Half> {
  static uint16_t of(const Inst&, uint16_t a, uint16_t b, uint16_t) { return Half::narrow(Half::widen(a) + Half::widen(b)); }
};
template <class F>
struct Sub {
  static uint16_t of(const Inst& in, uint16_t a, uint16_t b, uint16_t) { return Add<F>::of(in, a, static_cast<uint16_t>(b ^ 0x8000), 0); }
};
template <class F>
struct Mul {
  static uint16_t of(const Inst&, uint16_t a, uint16_t b, uint16_t) { return F::narrow_exactly(double{F::widen(a)} * double{F::widen(b)}); }
};
template <>
struct Mul<Half> {
  static uint16_t of(const Inst&, uint16_t a, uint16_t b, uint16_t) { return Half::narrow(Half::widen(a) * Half::widen(b)); }
};
template <class F>
struct Fma {
  static uint16_t of(const Inst&, uint16_t a, uint16_t b, uint16_t c) {
    return F::narrow_exactly(fma_to_odd(F::widen(a), F::widen(b), F::widen(c)));
  }
};
template <class F>
struct Neg {
  static uint16_t of(const Inst&, uint16_t a, uint16_t, uint16_t) { return a ^ 0x8000; }
};
template <class F>
struct Abs {
  static uint16_t of(const Inst&, uint16_t a, uint16_t, uint16_t) { return a & 0x7fff; }
};
template <class F>
struct Tanh {
  static uint16_t of(const Inst&, uint16_t a, uint16_t, uint16_t) { return F::narrow_exactly(std::tanh(double{F::widen(a)})); }
};
template <class F>
struct Ex2 {
  static uint16_t of(const Inst&, uint16_t a, uint16_t, uint16_t) { return F::narrow_exactly(std::exp2(double{F::widen(a)})); }
};
template <class F, bool kMax>
uint16_t extreme(const Inst& in, uint16_t a, uint16_t b) {
  const uint16_t sign = in.b & kXorsign ? (a ^ b) & 0x8000 : 0;
  if (in.b & kXorsign) a &= 0x7fff, b &= 0x7fff;
  const float x = F::widen(a), y = F::widen(b);
  uint16_t r;
  if (x != x || y != y)
    r = in.b & kNan || (x != x && y != y) ? 0x7fff : x != x ? b : a;
  else if (x == y)
    r = ((a & 0x8000) != 0) == kMax ? b : a;
  else
    r = (x > y) == kMax ? a : b;
  return r | sign;
}
template <class F>
struct Min {
  static uint16_t of(const Inst& in, uint16_t a, uint16_t b, uint16_t) { return extreme<F, false>(in, a, b); }
};
template <class F>
struct Max {
  static uint16_t of(const Inst& in, uint16_t a, uint16_t b, uint16_t) { return extreme<F, true>(in, a, b); }
};

template <class F, class Op>
uint16_t one(const Inst& in, uint16_t a, uint16_t b, uint16_t c) {
  if (in.b & kFtz) a = F::flush(a), b = F::flush(b), c = F::flush(c);
  uint16_t r = Op::of(in, a, b, c);
  if (in.b & kFtz) r = F::flush(r);
  const float value = F::widen(r);
  if (in.b & kSat) return F::narrow(saturate(value));
  if (in.b & kRelu && value < 0) return 0;
  return r;
}

template <class F, class Op, int kSources, bool kPair>
void run_half(Warp& w, const Inst& in, Mask active) {
  alignas(64) uint32_t out[kLanes];
  const uint32_t *x = w.src<uint32_t>(in.refs[1]), *y = kSources > 1 ? w.src<uint32_t>(in.refs[2]) : x,
                 *z = kSources > 2 ? w.src<uint32_t>(in.refs[3]) : x;
  const auto low = [](uint32_t v) { return static_cast<uint16_t>(v); };
  const auto high = [](uint32_t v) { return static_cast<uint16_t>(v >> 16); };
  for (int i = 0; i < kLanes; ++i) {
    out[i] = one<F, Op>(in, low(x[i]), low(y[i]), low(z[i]));
    if (kPair) out[i] |= static_cast<uint32_t>(one<F, Op>(in, high(x[i]), high(y[i]), high(z[i]))) << 16;
  }
  w.commit(in.refs[0], out, active);
}

template <template <class> class Op, int kSources>
Handler handler(Type type) {
  switch (type) {
    case Type::kF16: return run_half<Half, Op<Half>, kSources, false>;
    case Type::kF16x2: return run_half<Half, Op<Half>, kSources, true>;
    case Type::kBf16: return run_half<Bfloat, Op<Bfloat>, kSources, false>;
    default: return run_half<Bfloat, Op<Bfloat>, kSources, true>;
  }
}

}  // namespace

bool select_half(Build& b) {
  const std::string_view op = b.words.base();
  const Type type = b.words.type();
  if (type != Type::kF16 && type != Type::kF16x2 && type != Type::kBf16 && type != Type::kBf16x2) return false;
  b.inst.cls = Class::kHalf;
  Handler run = nullptr;
  size_t sources = 2;
  if (op == "add")
    run = handler<Add, 2>(type);
  else if (op == "sub")
    run = handler<Sub, 2>(type);
  else if (op == "mul")
    run = handler<Mul, 2>(type);
  else if (op == "fma")
    run = handler<Fma, 3>(type), sources = 3;
  else if (op == "neg")
    run = handler<Neg, 1>(type), sources = 1;
  else if (op == "abs")
    run = handler<Abs, 1>(type), sources = 1;
  else if (op == "min")
    run = handler<Min, 2>(type);
  else if (op == "max")
    run = handler<Max, 2>(type);
  else if (op == "tanh")
    run = handler<Tanh, 1>(type), sources = 1;
  else if (op == "ex2")
    run = handler<Ex2, 1>(type), sources = 1;
  else
    return false;
  b.words.one_of({"rn", "approx"});
  const bool xorsign = b.words.has("xorsign") && b.words.has("abs");
  b.inst.b = static_cast<uint8_t>((b.words.has("ftz") ? kFtz : 0) | (b.words.has("sat") ? kSat : 0) | (b.words.has("relu") ? kRelu : 0) |
                                  (b.words.has("NaN") ? kNan : 0) | (xorsign ? kXorsign : 0));
  b.plain(run, type, sources);
  return true;
}

}  // namespace gpusim

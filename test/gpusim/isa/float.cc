// Float and double arithmetic: add sub mul fma mad div rcp sqrt rsqrt abs neg min max sin cos lg2 ex2 tanh copysign testp.
// The approximate instructions give the correctly rounded result, which is within their error bounds. Compiled with -frounding-math.
#include <cmath>

#include "build.h"
#include "float_math.h"
#include "lanes.h"

namespace gpusim {
namespace {

constexpr uint8_t kFtz = 1, kSat = 2;

// F()(T...) on lanes; in.a: rounding, in.b: flags.
template <class F, class T, class... S, size_t... I>
inline void arithmetic(Warp& w, const Inst& in, Mask active, std::index_sequence<I...>) {
  alignas(64) Slot<T> out[kLanes];
  const std::tuple<const Slot<S>*...> sources(w.src<S>(in.refs[1 + I])...);
  if (in.a == 0 && in.b == 0) {
    for (int lane = 0; lane < kLanes; ++lane) out[lane] = to_slot<T>(canonical(F()(from_slot<S>(std::get<I>(sources)[lane])...)));
  } else {
    const RoundScope scope(static_cast<Round>(in.a));
    const bool ftz = in.b & kFtz && sizeof(T) == 4, sat = in.b & kSat;
    const auto input = [ftz](auto x) {
      if constexpr (sizeof(x) == 4)
        return ftz ? flush(x) : x;
      else
        return x;
    };
    for (int lane = 0; lane < kLanes; ++lane) {
      T value = F()(input(from_slot<S>(std::get<I>(sources)[lane]))...);
      if constexpr (sizeof(T) == 4) value = ftz ? flush(value) : value;
      out[lane] = to_slot<T>(sat ? saturate(value) : canonical(value));
    }
  }
  w.commit(in.refs[0], out, active);
}
template <class F, class T, class... S>
void run_arithmetic(Warp& w, const Inst& in, Mask active) {
  arithmetic<F, T, S...>(w, in, active, std::index_sequence_for<S...>());
}

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return a + b;
  }
};
struct Sub {
  template <class T>
  T operator()(T a, T b) const {
    return a - b;
  }
};
struct Mul {
  template <class T>
  T operator()(T a, T b) const {
    return a * b;
  }
};
struct Div {
  template <class T>
  T operator()(T a, T b) const {
    return a / b;
  }
};
struct Fma {
  template <class T>
  T operator()(T a, T b, T c) const {
    return std::fma(a, b, c);
  }
};
struct Rcp {
  template <class T>
  T operator()(T a) const {
    return T{1} / a;
  }
};
struct Sqrt {
  template <class T>
  T operator()(T a) const {
    return std::sqrt(a);
  }
};
struct Rsqrt {
  float operator()(float a) const { return static_cast<float>(1 / std::sqrt(static_cast<double>(a))); }
  double operator()(double a) const { return 1 / std::sqrt(a); }
};
struct Sin {
  float operator()(float a) const { return static_cast<float>(std::sin(static_cast<double>(a))); }
};
struct Cos {
  float operator()(float a) const { return static_cast<float>(std::cos(static_cast<double>(a))); }
};
struct Lg2 {
  float operator()(float a) const { return static_cast<float>(std::log2(static_cast<double>(a))); }
};
struct Ex2 {
  float operator()(float a) const { return static_cast<float>(std::exp2(static_cast<double>(a))); }
};
struct Tanh {
  float operator()(float a) const { return static_cast<float>(std::tanh(static_cast<double>(a))); }
};
// rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64: the low word is zero, denormals flush.
struct RcpHigh {
  double operator()(double a) const {
    if (std::fabs(a) < 0x1p-1022) a = std::copysign(0.0, a);
    const double r = 1 / a;
    return std::fabs(r) < 0x1p-1022 ? std::copysign(0.0, r) : bits_double(double_bits(r) & 0xffffffff00000000u);
  }
};
struct RsqrtHigh {
  double operator()(double a) const {
    if (std::fabs(a) < 0x1p-1022) a = std::copysign(0.0, a);
    return bits_double(double_bits(1 / std::sqrt(a)) & 0xffffffff00000000u);
  }
};

struct Abs {
  template <class T>
  T operator()(T a) const {
    return std::fabs(a);
  }
};
struct Neg {
  template <class T>
  T operator()(T a) const {
    return -a;
  }
};
template <bool kMax>
struct Extreme {
  template <class T>
  T operator()(T a, T b) const {
    if (a != a) return b;
    if (b != b) return a;
    if (a == b) return std::signbit(a) == kMax ? b : a;  // +0 is above -0
    return (a > b) == kMax ? a : b;
  }
};
template <bool kMax>
struct ExtremeNan {
  template <class T>
  T operator()(T a, T b) const {
    return a != a ? a : b != b ? b : Extreme<kMax>()(a, b);
  }
};
template <class Base>
struct XorSign {  // .xorsign.abs
  float operator()(float a, float b) const {
    const float r = Base()(std::fabs(a), std::fabs(b));
    return bits_float(float_bits(r) | ((float_bits(a) ^ float_bits(b)) & 0x80000000));
  }
};
template <class Base>
struct Three {
  float operator()(float a, float b, float c) const { return Base()(Base()(a, b), c); }
};
template <class T>
struct Copysign {
  T operator()(T a, T b) const { return std::copysign(b, a); }
};

template <class T>
void run_testp(Warp& w, const Inst& in, Mask active) {
  uint8_t bits[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    const T v = from_slot<T>(w.src<T>(in.refs[1])[i]);
    const int kind = std::fpclassify(v);
    const bool yes[] = {std::isfinite(v), kind == FP_INFINITE, kind != FP_NAN, kind == FP_NAN, kind == FP_NORMAL, kind == FP_SUBNORMAL};
    bits[i] = yes[in.a];
  }
  w.set_predicate(in.refs[0], pack_mask(bits), active);
}

template <class F>
Handler unary_of(bool wide) {
  return wide ? Handler(run_arithmetic<F, double, double>) : Handler(run_arithmetic<F, float, float>);
}
template <class F>
Handler binary_of(bool wide) {
  return wide ? Handler(run_arithmetic<F, double, double, double>) : Handler(run_arithmetic<F, float, float, float>);
}

void select_extreme(Build& b, Type type) {
  const bool max = b.words.base() == "max", nan = b.words.has("NaN"), xorsign = b.words.has("xorsign") && b.words.has("abs");
  const bool wide = type == Type::kF64;
  if (b.operands() == 4) {
    b.plain(max ? (nan ? Handler(run_arithmetic<Three<ExtremeNan<true>>, float, float, float, float>)
                       : Handler(run_arithmetic<Three<Extreme<true>>, float, float, float, float>))
                : (nan ? Handler(run_arithmetic<Three<ExtremeNan<false>>, float, float, float, float>)
                       : Handler(run_arithmetic<Three<Extreme<false>>, float, float, float, float>)),
            type, 3);
    return;
  }
  Handler run;
  if (xorsign)
    run = max ? (nan ? run_arithmetic<XorSign<ExtremeNan<true>>, float, float, float>
                     : run_arithmetic<XorSign<Extreme<true>>, float, float, float>)
              : (nan ? run_arithmetic<XorSign<ExtremeNan<false>>, float, float, float>
                     : run_arithmetic<XorSign<Extreme<false>>, float, float, float>);
  else
    run = max ? (nan ? binary_of<ExtremeNan<true>>(wide) : binary_of<Extreme<true>>(wide))
              : (nan ? binary_of<ExtremeNan<false>>(wide) : binary_of<Extreme<false>>(wide));
  b.plain(run, type, 2);
}

}  // namespace

bool select_float(Build& b) {
  const std::string_view op = b.words.base();
  const Type type = b.words.type();
  if (type != Type::kF32 && type != Type::kF64) return false;
  const bool wide = type == Type::kF64;
  b.inst.cls = wide ? Class::kFloat64 : Class::kFloat32;
  const auto modes = [&] {
    const int round = b.words.one_of({"rn", "rz", "rm", "rp"});
    b.inst.a = static_cast<uint8_t>(round < 0 ? 0 : round);
    b.inst.b = static_cast<uint8_t>((b.words.has("ftz") ? kFtz : 0) | (b.words.has("sat") ? kSat : 0));
  };
  if (op == "add" || op == "sub" || op == "mul" || op == "div") {
    modes();
    b.words.one_of({"approx", "full"});
    if (op == "div") b.inst.cls = Class::kSpecial;
    b.plain(op == "add"   ? binary_of<Add>(wide)
            : op == "sub" ? binary_of<Sub>(wide)
            : op == "mul" ? binary_of<Mul>(wide)
                          : binary_of<Div>(wide),
            type, 2);
  } else if (op == "fma" || op == "mad") {
    modes();
    b.plain(wide ? Handler(run_arithmetic<Fma, double, double, double, double>) : Handler(run_arithmetic<Fma, float, float, float, float>),
            type, 3);
  } else if (op == "rcp" || op == "sqrt" || op == "rsqrt") {
    modes();
    b.inst.cls = Class::kSpecial;
    const bool approx = b.words.has("approx");
    if (wide && approx && b.inst.b & kFtz) {
      b.inst.b = 0;
      b.plain(op == "rcp" ? run_arithmetic<RcpHigh, double, double> : run_arithmetic<RsqrtHigh, double, double>, type, 1);
    } else {
      b.plain(op == "rcp" ? unary_of<Rcp>(wide) : op == "sqrt" ? unary_of<Sqrt>(wide) : unary_of<Rsqrt>(wide), type, 1);
    }
  } else if (op == "sin" || op == "cos" || op == "lg2" || op == "ex2" || op == "tanh") {
    if (wide) return false;
    modes();
    b.words.has("approx");
    b.inst.cls = Class::kSpecial;
    b.plain(op == "sin"   ? run_arithmetic<Sin, float, float>
            : op == "cos" ? run_arithmetic<Cos, float, float>
            : op == "lg2" ? run_arithmetic<Lg2, float, float>
            : op == "ex2" ? run_arithmetic<Ex2, float, float>
                          : run_arithmetic<Tanh, float, float>,
            type, 1);
  } else if (op == "abs" || op == "neg") {
    modes();
    b.plain(op == "abs" ? unary_of<Abs>(wide) : unary_of<Neg>(wide), type, 1);
  } else if (op == "min" || op == "max") {
    modes();
    select_extreme(b, type);
  } else if (op == "copysign") {
    b.plain(wide ? binary<Copysign, double>() : binary<Copysign, float>(), type, 2);
  } else if (op == "testp") {
    const int test = b.words.one_of({"finite", "infinite", "number", "notanumber", "normal", "subnormal"});
    if (test < 0) b.fail("expected a test");
    b.inst.a = static_cast<uint8_t>(test);
    b.inst.cls = Class::kCompare;
    b.inst.run = wide ? run_testp<double> : run_testp<float>;
    b.predicate_dst(b.operand(0));
    b.src(1, type);
  } else {
    return false;
  }
  return true;
}

}  // namespace gpusim

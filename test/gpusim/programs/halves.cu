// Half precision and bfloat16: all 65536 of them through arithmetic and conversions.
#include "harness.h"

__device__ uint16_t half_op(int which, uint16_t a, uint16_t b, uint16_t c) {
  uint16_t d = 0;
  float f;
  switch (which) {
    case 0: asm("add.f16 %0, %1, %2;" : "=h"(d) : "h"(a), "h"(b)); break;
    case 1: asm("mul.f16 %0, %1, %2;" : "=h"(d) : "h"(a), "h"(b)); break;
    case 2: asm("fma.rn.f16 %0, %1, %2, %3;" : "=h"(d) : "h"(a), "h"(b), "h"(c)); break;
    case 3:
      asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(a));
      asm("cvt.rn.f16.f32 %0, %1;" : "=h"(d) : "f"(f));
      break;
    case 4:
      asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(a));
      asm("cvt.rz.f16.f32 %0, %1;" : "=h"(d) : "f"(f * 1.0009f));
      break;
    case 5: asm("max.f16 %0, %1, %2;" : "=h"(d) : "h"(a), "h"(b)); break;
    case 6: asm("fma.rn.relu.f16 %0, %1, %2, %3;" : "=h"(d) : "h"(a), "h"(b), "h"(c)); break;
    case 7: asm("fma.rn.bf16 %0, %1, %2, %3;" : "=h"(d) : "h"(a), "h"(b), "h"(c)); break;
    case 9: asm("sub.f16 %0, %1, %2;" : "=h"(d) : "h"(a), "h"(b)); break;
    case 10: asm("neg.f16 %0, %1;" : "=h"(d) : "h"(a)); break;
    case 11: asm("min.NaN.f16 %0, %1, %2;" : "=h"(d) : "h"(a), "h"(b)); break;
    case 12:  // the upper one of a pair
      asm("{.reg .b32 x, y, z; .reg .b16 low; mov.b32 x, {%2, %1}; mov.b32 y, {%3, %2}; add.f16x2 z, x, y; mov.b32 {low, %0}, z;}"
          : "=h"(d)
          : "h"(a), "h"(c), "h"(b));
      break;
    case 13:
      asm("{.reg .b32 z; .reg .b16 high; cvt.rn.f16x2.f32 z, %2, %1; mov.b32 {%0, high}, z;}"
          : "=h"(d)
          : "f"(__uint_as_float(a * 65537u)), "f"(1.0f));
      break;
    case 14: asm("{.reg .pred p; setp.lt.f16 p, %1, %2; selp.b16 %0, 1, 0, p;}" : "=h"(d) : "h"(a), "h"(b)); break;
    case 8: asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(d) : "f"(__uint_as_float(a * 65537u ^ b << 9))); break;
  }
  return d;
}
__global__ void halves(uint16_t* out, int which) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = half_op(which, static_cast<uint16_t>(i), static_cast<uint16_t>(i * 40503u >> 3), static_cast<uint16_t>(i * 60493u >> 5));
}
// Host half precision by brute definition: 11 significant bits, exponents down to -24.
double half_value(uint16_t h) {
  const int e = h >> 10 & 31, m = h & 1023;
  const double v = e == 31 ? (m ? NAN : INFINITY) : e ? std::ldexp(1024 + m, e - 25) : std::ldexp(m, -24);
  return h & 0x8000 ? -v : v;
}
double bfloat_value(uint16_t b) {
  const uint32_t u = uint32_t{b} << 16;
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}
// The nearest of two neighbours in a monotone table of non-negative values, ties to even; long double holds every exact sum that is tried
// here.
template <class Value>
uint16_t nearest(long double exact, Value value, uint16_t infinity, bool toward_zero) {
  if (exact != exact) return 0x7fff;
  const bool negative = std::signbit(exact);
  const long double x = std::fabs(exact);
  uint16_t low = 0, high = infinity;  // value(low) <= x < value(high)
  while (high - low > 1) {
    const uint16_t middle = static_cast<uint16_t>((low + high) / 2);
    if (static_cast<long double>(value(middle)) <= x)
      low = middle;
    else
      high = middle;
  }
  if (std::isinf(x))
    low = high = infinity;
  else if (!toward_zero) {
    const long double below = value(low), above = high == infinity
                                                      ? 2 * static_cast<long double>(value(low)) - value(static_cast<uint16_t>(low - 1))
                                                      : static_cast<long double>(value(high));
    if (x - below > above - x || (x - below == above - x && low & 1)) low = high;
  }
  return static_cast<uint16_t>(low | (negative ? 0x8000 : 0));
}
PROGRAM(half_precision) {
  Device<uint16_t> out(65536);
  for (int which = 0; which < 15; ++which) {
    halves<<<512, 128>>>(out.data, which);
    const auto got = out.host();
    int wrong = 0;
    for (unsigned i = 0; i < 65536; ++i) {
      const uint16_t ha = static_cast<uint16_t>(i), hb = static_cast<uint16_t>(i * 40503u >> 3),
                     hc = static_cast<uint16_t>(i * 60493u >> 5);
      const long double a = half_value(ha), b = half_value(hb), c = half_value(hc);
      uint16_t want = 0;
      const auto half = [&](long double v, bool zero = false) { return nearest(v, half_value, 0x7c00, zero); };
      switch (which) {
        case 0: want = half(a + b); break;
        case 1: want = half(a * b); break;
        case 2:
        case 6: {
          want = half(a * b + c);  // exact: the product has 22 bits
          if (which == 6 && (a * b + c < 0)) want = 0;
          break;
        }
        case 3: want = half(a); break;
        case 4: want = half(static_cast<float>(a) * 1.0009f, true); break;
        case 5: want = a != a ? hb : b != b ? ha : a == b ? (std::signbit(a) ? hb : ha) : a > b ? ha : hb; break;
        case 7: {
          // Far apart, the smaller of the two only decides ties: any small number does that, and long double holds the sum.
          long double product = static_cast<long double>(bfloat_value(ha)) * bfloat_value(hb), addend = bfloat_value(hc);
          const auto shrink = [](long double& small, long double big) {
            if (small != 0 && std::isfinite(big) && std::fabs(small) < std::ldexp(std::fabs(big), -40))
              small = std::copysign(std::ldexp(big, -41), small);
          };
          shrink(addend, product);
          shrink(product, addend);
          const long double sum = product + addend;
          want = nearest(sum, bfloat_value, 0x7f80, false);
          break;
        }
        case 9: want = half(a - b); break;
        case 10: want = ha ^ 0x8000; break;
        case 11: want = a != a || b != b ? 0x7fff : a == b ? (std::signbit(a) ? ha : hb) : a < b ? ha : hb; break;
        case 12: want = half(a + c); break;
        case 13: {
          const uint32_t u = ha * 65537u;
          float f;
          std::memcpy(&f, &u, 4);
          want = half(f);
          break;
        }
        case 14: want = a < b; break;
        default: {
          const uint32_t u = ha * 65537u ^ static_cast<uint32_t>(hb) << 9;
          float f;
          std::memcpy(&f, &u, 4);
          want = nearest(f, bfloat_value, 0x7f80, false);
        }
      }
      const bool nan = which < 7 || which > 8 ? (want & 0x7fff) > 0x7c00 && (got[i] & 0x7fff) > 0x7c00
                                              : (want & 0x7fff) > 0x7f80 && (got[i] & 0x7fff) > 0x7f80;
      const bool zero = (which == 0 || which == 2 || which == 7 || which == 9 || which == 12) &&
                        ((want | got[i]) & 0x7fff) == 0;  // signs of zero sums are tested by others
      if (!nan && !zero && got[i] != want && wrong++ == 0)
        std::printf("FAIL half operation %d: %04x %04x %04x -> %04x, expected %04x\n", which, ha, hb, hc, got[i], want);
    }
    failures() += wrong;
  }
}

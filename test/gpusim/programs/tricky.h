// Single instructions on values that are easy to get wrong: extremes, signs, NaN, denormals, ties; against host arithmetic.
#pragma once
#include <cfenv>
#include <limits>

#include "harness.h"

template <class T>
T bits_as(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
uint64_t bits_of(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}
// Equal bits; any NaN equals any NaN.
template <class T>
bool same(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    if (a != a || b != b) return a != a && b != b;
  return bits_of(a) == bits_of(b);
}

template <class T>
std::vector<T> tricky() {
  std::vector<T> v;
  if constexpr (std::is_same_v<T, float>) {
    for (const uint32_t b :
         {0u,          0x80000000u, 0x3f800000u, 0xbf800000u, 0x7f800000u, 0xff800000u, 0x7fc00000u, 0x00000001u, 0x807fffffu,
          0x00800000u, 0x7f7fffffu, 0xff7fffffu, 0x3f000000u, 0x3fc00000u, 0x40200000u, 0xbfc00000u, 0x4b800000u, 0x4f000000u,
          0x4effffffu, 0xcf000000u, 0x5f000000u, 0x477fe000u, 0x477ff000u, 0x33000000u, 0x33800000u, 0x40490fdbu})
      v.push_back(bits_as<float>(b));
  } else if constexpr (std::is_same_v<T, double>) {
    for (const double d : {0.0,
                           -0.0,
                           1.0,
                           -1.5,
                           2.5,
                           1e308,
                           -1e308,
                           4.9e-324,
                           -2.2250738585072014e-308,
                           1e-310,
                           3.4028235677973366e38,
                           1.0000000596046448,
                           2147483647.5,
                           -2147483648.5,
                           4294967295.0,
                           9.3e18,
                           -9.3e18,
                           0.1,
                           1.17549435e-38,
                           7e-46,
                           (double)INFINITY,
                           -(double)INFINITY,
                           (double)NAN})
      v.push_back(d);
  } else {
    using U = std::make_unsigned_t<T>;
    for (const U u : {U(0),
                      U(1),
                      U(2),
                      U(3),
                      U(7),
                      U(31),
                      U(32),
                      U(33),
                      U(63),
                      U(64),
                      U(127),
                      U(128),
                      U(255),
                      U(256),
                      U(-1),
                      U(-2),
                      U(-7),
                      U(U(1) << (8 * sizeof(T) - 1)),
                      U((U(1) << (8 * sizeof(T) - 1)) - 1),
                      U(0x5a5a5a5a5a5a5a5aull),
                      U(0x123456789abcdef0ull),
                      U(0x80018001u),
                      U(0xffff0000u)})
      v.push_back(static_cast<T>(u));
  }
  return v;
}

// All pairs (or triples of a smaller set) of the tricky values of each operand.
template <class A, class B, class C>
struct Cases {
  std::vector<A> a;
  std::vector<B> b;
  std::vector<C> c;
};
template <class A, class B, class C>
Cases<A, B, C> all(int operands) {
  Cases<A, B, C> cases;
  const auto va = tricky<A>();
  const auto vb = tricky<B>();
  const auto vc = tricky<C>();
  for (size_t i = 0; i < va.size(); ++i)
    for (size_t j = 0; j < (operands > 1 ? vb.size() : 1); ++j)
      for (size_t k = 0; k < (operands > 2 ? vc.size() : 1); k += 2)
        cases.a.push_back(va[i]), cases.b.push_back(vb[j]), cases.c.push_back(vc[(k + i + j) % vc.size()]);
  return cases;
}

template <class D, class A, class B, class C, class Host>
void check(const char* what, void (*kernel)(const A*, const B*, const C*, D*, int), int operands, Host host) {
  const auto cases = all<A, B, C>(operands);
  const int n = static_cast<int>(cases.a.size());
  Device<A> a(cases.a);
  Device<B> b(cases.b);
  Device<C> c(cases.c);
  Device<D> d(n);
  kernel<<<(n + 127) / 128, 128>>>(a.data, b.data, c.data, d.data, n);
  CUDA(cudaDeviceSynchronize());
  const auto got = d.host();
  int wrong = 0;
  for (int i = 0; i < n; ++i) {
    const D want = host(cases.a[i], cases.b[i], cases.c[i]);
    if (same(got[i], want)) continue;
    if (wrong++ == 0)
      std::printf("FAIL %s: %llx, %llx, %llx -> %llx, expected %llx\n", what, (unsigned long long)bits_of(cases.a[i]),
                  (unsigned long long)bits_of(cases.b[i]), (unsigned long long)bits_of(cases.c[i]), (unsigned long long)bits_of(got[i]),
                  (unsigned long long)bits_of(want));
  }
  failures() += wrong;
}

inline float flush(float x) { return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x; }
template <class T>
T rounded(int mode, T (*f)(T, T, T), T a, T b, T c) {
  std::fesetround(mode);
  volatile T x = a, y = b, z = c;
  volatile T r = f(x, y, z);
  std::fesetround(FE_TONEAREST);
  return r;
}

#define KERNEL(name, D, A, B, C, text, ...)                                   \
  __global__ void name(const A* pa, const B* pb, const C* pc, D* pd, int n) { \
    const int i = blockIdx.x * blockDim.x + threadIdx.x;                      \
    if (i >= n) return;                                                       \
    const A a = pa[i];                                                        \
    const B b = pb[i];                                                        \
    const C c = pc[i];                                                        \
    D d;                                                                      \
    (void)b, (void)c;                                                         \
    asm volatile(text : __VA_ARGS__);                                         \
    pd[i] = d;                                                                \
  }
#define OUT(l) "=" l(d)
#define UNUSED (void)a, (void)b, (void)c

#define I32 int32_t
#define U32 uint32_t
#define I64 int64_t
#define U64 uint64_t

// name, types, constraint letters, text, number of operands, host expression
#define OP(name, D, A, B, C, ld, la, lb, lc, text, operands, ...)         \
  KERNEL(k_##name, D, A, B, C, text, OUT(ld) : la(a), lb(b), lc(c))       \
  static void t_##name() {                                                \
    check<D, A, B, C>(#name, k_##name, operands, [](A a, B b, C c) -> D { \
      UNUSED;                                                             \
      return __VA_ARGS__;                                                 \
    });                                                                   \
  }

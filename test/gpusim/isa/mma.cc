// mma.sync and mma.sp.sync: which lane holds which element, and the metadata of sparse A.
//
// All shapes but m8n8k4 of half follow one rule. With g = lane / 4, t = lane % 4 and E elements in a register (1 of 32 or 64 bits):
//   A  register r, element e: row g + 8 (r & 1), column E t + e + 4 E (r >> 1)        (m = 8: row g, one register)
//   B  register r, element e: row E t + e + 4 E r, column g
//   C  element i:             row g + 8 (i >> 1), column 2 t + (i & 1)
// Sparse A holds the columns that are stored, in the same places.
#include <cstdio>

#include "../exec/block.h"
#include "build.h"
#include "matrix_math.h"
#include "vector_operand.h"

namespace gpusim {
namespace {

struct Mma {
  int m = 0, n = 0, k = 0;
  Type a, b, c, d;
  int na = 0, nb = 0, nc = 0, nd = 0;  // registers
  bool sparse = false, ordered = false, saturate = false;
  int selector = 0;
  int op = 0;
  char name[64];
};

int per_register(Type type) { return bits_of(type) >= 32 ? 1 : 32 / bits_of(type); }
int registers_for(int elements, Type type) { return elements / 32 / per_register(type); }

uint64_t element(const Warp& w, Ref ref, Type type, int lane, int e) {
  if (bits_of(type) == 64) return w.src<uint64_t>(ref)[lane];
  const uint32_t word = w.src<uint32_t>(ref)[lane];
  return bits_of(type) == 32 ? word : word >> e * bits_of(type);
}

// Where the metadata of a row's chunk is. A chunk has 4 columns (tf32: 2, 4-bit types: 8).
struct Nibble {
  int lane, shift;
};
Nibble metadata_of(const Mma& x, int row, int chunk) {
  const int bits = bits_of(x.a), g = row % 8, upper = row / 8;
  const int chunks = x.k / (bits == 32 ? 2 : bits == 4 ? 8 : 4);
  if (bits >= 16) {
    if (chunks == 8) return {4 * g + 2 * x.selector + chunk / 4, 16 * upper + 4 * (chunk % 4)};
    return {4 * g + x.selector, 16 * upper + 4 * chunk};
  }
  if (chunks == 16) return {4 * g + upper + 2 * (chunk / 8), 4 * (chunk % 8)};
  return {4 * g + 2 * x.selector + upper, 4 * chunk};
}

[[noreturn]] void illegal(int lane, uint32_t nibble, const char* why) {
  char text[120];
  std::snprintf(text, sizeof text, "illegal mma.sp metadata 0x%X in the register of lane %d: %s", nibble, lane, why);
  throw Fault(Check::kMetadata, lane, text);
}

void load_sparse_a(Warp& w, const Mma& x, const Inst& in, Matrices& out) {
  const bool check = w.block.launch.checks.metadata;
  const int bits = bits_of(x.a), width = bits == 32 ? 2 : bits == 4 ? 8 : 4, kept = width / 2, per = per_register(x.a);
  double stored[16][kMaxK / 2];
  for (int lane = 0; lane < kLanes; ++lane)
    for (int r = 0; r < x.na; ++r)
      for (int e = 0; e < per; ++e) {
        const int row = lane / 4 + 8 * (r & 1), column = per * (lane % 4) + e + 4 * per * (r >> 1);
        stored[row][column] = element_value(x.a, element(w, in.refs[x.nd + r], x.a, lane, e));
      }
  const uint32_t* metadata = w.src<uint32_t>(in.refs[x.nd + x.na + x.nb + x.nc]);
  for (int row = 0; row < x.m; ++row) {
    std::fill(out.a + row * kMaxK, out.a + row * kMaxK + x.k, 0.0);
    for (int chunk = 0; chunk < x.k / width; ++chunk) {
      const Nibble at = metadata_of(x, row, chunk);
      const uint32_t nibble = metadata[at.lane] >> at.shift & 15, first = nibble & 3, second = nibble >> 2;
      if (check && bits == 32 && nibble != 0x4 && nibble != 0xE) illegal(at.lane, nibble, "tf32 knows 0x4 and 0xE");
      if (check && first == second) illegal(at.lane, nibble, "both stored values have the same place");
      if (check && x.ordered && first > second) illegal(at.lane, nibble, "the places are not in order");
      double* to = out.a + row * kMaxK + chunk * width;
      const double* from = stored[row] + chunk * kept;
      if (bits == 32) {
        to[nibble == 0xE] = from[0];
      } else if (bits == 4) {
        for (int i = 0; i < 2; ++i)
          to[2 * first + static_cast<uint32_t>(i)] = from[i], to[2 * second + static_cast<uint32_t>(i)] = from[2 + i];
      } else {
        to[first] = from[0];
        to[second] = from[1];
      }
    }
  }
}

// refs: d..., a..., b..., c..., metadata.
void run_mma(Warp& w, const Inst& in, Mask active) {
  const Mma& x = *static_cast<const Mma*>(in.data);
  if (active != kFullMask) throw Fault(Check::kBarrier, __builtin_ctz(~active), "mma needs all 32 threads of the warp");
  auto& tally = w.counters.tensor[in.data];
  if (tally.second++ == 0) tally.first = x.name;
  w.counters.tensor_macs += static_cast<uint64_t>(x.m) * static_cast<uint64_t>(x.n) * static_cast<uint64_t>(x.k);
  static thread_local Matrices matrices;
  const Ref *a = in.refs + x.nd, *b = a + x.na, *c = b + x.nb;
  if (x.sparse) {
    load_sparse_a(w, x, in, matrices);
  } else {
    const int per = per_register(x.a);
    for (int r = 0; r < x.na; ++r)
      for (int lane = 0; lane < kLanes; ++lane)
        for (int e = 0; e < per; ++e) {
          const int row = lane / 4 + 8 * (r & 1), column = per * (lane % 4) + e + 4 * per * (r >> 1);
          matrices.a[row * kMaxK + column] = element_value(x.a, element(w, a[r], x.a, lane, e));
        }
  }
  const int per = per_register(x.b);
  for (int r = 0; r < x.nb; ++r)
    for (int lane = 0; lane < kLanes; ++lane)
      for (int e = 0; e < per; ++e)
        matrices.b[(per * (lane % 4) + e + 4 * per * r) * kMaxN + lane / 4] = element_value(x.b, element(w, b[r], x.b, lane, e));
  const int per_c = per_register(x.c);
  for (int r = 0; r < x.nc; ++r)
    for (int lane = 0; lane < kLanes; ++lane)
      for (int e = 0; e < per_c; ++e) {
        const int i = r * per_c + e;
        matrices.c[(lane / 4 + 8 * (i >> 1)) * kMaxN + 2 * (lane % 4) + (i & 1)] = element_value(x.c, element(w, c[r], x.c, lane, e));
      }
  multiply(matrices, x.m, x.n, x.k, x.d, x.op);
  const int per_d = per_register(x.d);
  for (int r = 0; r < x.nd; ++r) {
    alignas(64) uint64_t out[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
      out[lane] = 0;
      for (int e = 0; e < per_d; ++e) {
        const int i = r * per_d + e;
        const double value = matrices.c[(lane / 4 + 8 * (i >> 1)) * kMaxN + 2 * (lane % 4) + (i & 1)];
        out[lane] |= result_bits(x.d, value, x.saturate) << 16 * e;
      }
    }
    if (x.d == Type::kF64) {
      w.commit(in.refs[r], out, active);
    } else {
      uint32_t narrow[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) narrow[lane] = static_cast<uint32_t>(out[lane]);
      w.commit(in.refs[r], narrow, active);
    }
  }
}

struct Form {
  int bits;  // of an element of A
  int m, n, k;
  bool sparse;
  int selectors;  // how many there are
};
constexpr Form kForms[] = {
    {16, 16, 8, 8, false, 1},  {16, 16, 8, 16, false, 1}, {32, 16, 8, 4, false, 1},  {32, 16, 8, 8, false, 1}, {64, 8, 8, 4, false, 1},
    {64, 16, 8, 4, false, 1},  {64, 16, 8, 8, false, 1},  {64, 16, 8, 16, false, 1}, {8, 8, 8, 16, false, 1},  {8, 16, 8, 16, false, 1},
    {8, 16, 8, 32, false, 1},  {4, 8, 8, 32, false, 1},   {4, 16, 8, 32, false, 1},  {4, 16, 8, 64, false, 1}, {1, 8, 8, 128, false, 1},
    {1, 16, 8, 128, false, 1}, {1, 16, 8, 256, false, 1}, {16, 16, 8, 16, true, 4},  {16, 16, 8, 32, true, 2}, {32, 16, 8, 8, true, 4},
    {32, 16, 8, 16, true, 2},  {8, 16, 8, 32, true, 2},   {8, 16, 8, 64, true, 1},   {4, 16, 8, 64, true, 2},  {4, 16, 8, 128, true, 1},
};

bool is_input(Type type) {
  switch (type) {
    case Type::kF16:
    case Type::kBf16:
    case Type::kTf32:
    case Type::kF64:
    case Type::kS8:
    case Type::kU8:
    case Type::kS4:
    case Type::kU4:
    case Type::kB1:
    case Type::kE4m3:
    case Type::kE5m2: return true;
    default: return false;
  }
}

}  // namespace

bool select_mma(Build& b) {
  if (b.words.base() != "mma") return false;
  Mma x;
  x.ordered = b.words.has("sp::ordered_metadata");
  x.sparse = b.words.has("sp") || x.ordered;
  b.words.has("sync"), b.words.has("aligned"), b.words.has("row"), b.words.has("col");
  x.saturate = b.words.has("satfinite");
  x.d = b.words.type(0), x.a = b.words.type(1), x.b = b.words.type(2), x.c = b.words.type(3);
  if (x.c == Type::kNone || !is_input(x.a) || !is_input(x.b) || bits_of(x.a) != bits_of(x.b)) b.fail("these types");
  const bool whole = !is_float(x.a);
  const Type wide = x.a == Type::kF64 ? Type::kF64 : whole ? Type::kS32 : Type::kF32;
  const bool mixed = x.a == Type::kF16 && (x.c == Type::kF16 || x.c == Type::kF32) && (x.d == Type::kF16 || x.d == Type::kF32);
  if (!(mixed || (x.c == wide && x.d == wide))) b.fail("these accumulators");
  if (x.a == Type::kB1) {
    const int op = b.words.one_of({"xor", "and"});
    if (op < 0 || !b.words.has("popc")) b.fail("expected .xor.popc or .and.popc");
    x.op = op + 1;
  }
  const Form* form = nullptr;
  for (const Form& f : kForms) {
    const std::string shape = "m" + std::to_string(f.m) + "n" + std::to_string(f.n) + "k" + std::to_string(f.k);
    if (f.bits == bits_of(x.a) && f.sparse == x.sparse && b.words.has(shape)) form = &f;
  }
  if (!form) b.fail("this shape with these types");
  x.m = form->m, x.n = form->n, x.k = form->k;
  x.na = registers_for(x.m * x.k / (x.sparse ? 2 : 1), x.a);
  x.nb = registers_for(x.k * x.n, x.b);
  x.nc = registers_for(x.m * x.n, x.c);
  x.nd = registers_for(x.m * x.n, x.d);
  b.expect_operands(x.sparse ? 6 : 4, x.sparse ? 6 : 4);
  vector_operand(b, 0, x.nd, x.d, true);
  vector_operand(b, 1, x.na, x.a, false);
  vector_operand(b, 2, x.nb, x.b, false);
  vector_operand(b, 3, x.nc, x.c, false);
  if (x.sparse) {
    b.src(4, Type::kB32);
    x.selector = static_cast<int>(b.integer(5));
    if (x.selector < 0 || x.selector >= form->selectors)
      throw Fault(Check::kMetadata, -1,
                  std::string(b.source.opcode) + ": illegal selector " + std::to_string(x.selector) + ", there are " +
                      std::to_string(form->selectors));
  }
  std::snprintf(x.name, sizeof x.name, "%s.m%dn%dk%d.%s.%s.%s.%s",
                x.ordered  ? "mma.sp::ordered_metadata"
                : x.sparse ? "mma.sp"
                           : "mma",
                x.m, x.n, x.k, type_name(x.d), type_name(x.a), type_name(x.b), type_name(x.c));
  b.inst.cls = Class::kTensor;
  b.inst.flow = Flow::kAligned;
  b.inst.run = run_mma;
  b.keep(x);
  return true;
}

}  // namespace gpusim

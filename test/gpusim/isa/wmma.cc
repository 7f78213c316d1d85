// wmma.load, wmma.store and wmma.mma, the instructions behind nvcuda::wmma. Which element lies in which register is for the device to say:
// here lane l has elements l U ... l U + U - 1 of the row-major tile (U = elements / 32), as often as its registers have room for.
#include "../exec/block.h"
#include "access.h"
#include "build.h"
#include "matrix_math.h"
#include "vector_operand.h"

namespace gpusim {
namespace {

enum Part : uint8_t { kA, kB, kC, kD };

struct Wmma {
  int m = 0, n = 0, k = 0;
  Type a = Type::kNone, b = Type::kNone, c = Type::kNone, d = Type::kNone;
  bool a_column = false, b_column = false, saturate = false;
  int op = 0;
  char name[64];
};

struct Fragment {
  int rows, columns, registers;
  Type type;
  bool column_major;
};

// Registers of A and B; C and D hold each element once.
int registers_of(const Wmma& x, Part part, Type type) {
  const int rows = part == kB ? x.k : x.m, columns = part == kA ? x.k : x.n;
  if (type == Type::kF16 && part <= kB) return 8;
  return type == Type::kNone ? 0 : rows * columns / 32 / std::max(1, 32 / bits_of(type));
}

int share(const Fragment& f) { return f.rows * f.columns / 32; }

uint64_t get(const Warp& w, const Fragment& f, const Ref* refs, int lane, int slot) {
  const int bits = bits_of(f.type), per = std::max(1, 32 / bits);
  if (bits == 64) return w.src<uint64_t>(refs[slot])[lane];
  return w.src<uint32_t>(refs[slot / per])[lane] >> (bits == 32 ? 0 : slot % per * bits);
}

void commit(const Warp& w, const Fragment& f, const Ref* refs, const uint64_t (*values)[kLanes]) {  // values[slot of a lane's share][lane]
  const int bits = bits_of(f.type), per = std::max(1, 32 / bits), own = share(f);
  for (int r = 0; r < f.registers; ++r) {
    alignas(64) uint64_t out[kLanes] = {};
    for (int e = 0; e < per; ++e)
      for (int lane = 0; lane < kLanes; ++lane)
        out[lane] |= (values[(r * per + e) % own][lane] & (~uint64_t{0} >> (64 - bits))) << (bits < 32 ? e * bits : 0);
    if (bits == 64) {
      w.commit(refs[r], out, kFullMask);
      continue;
    }
    uint32_t narrow[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) narrow[lane] = static_cast<uint32_t>(out[lane]);
    w.commit(refs[r], narrow, kFullMask);
  }
}

uint64_t element_index(const Fragment& f, int index, uint64_t stride) {
  const uint64_t row = static_cast<uint64_t>(index / f.columns), column = static_cast<uint64_t>(index % f.columns);
  return f.column_major ? column * stride + row : row * stride + column;
}

// A tile of global memory is one request; how its elements pass shared memory is for the device to say.
void count_tile(Warp& w, const Inst& in, const Fragment& f, Access access) {
  if (!w.block.launch.count_memory) return;
  const auto bits = static_cast<uint64_t>(bits_of(f.type));
  uint64_t sectors[kLanes * 64];
  int count = 0;
  for (int i = 0; i < f.rows * f.columns; ++i) {
    uint64_t address = lane_address(w, in, in.refs[0], 0) + element_index(f, i, *w.src<uint32_t>(in.refs[1])) * bits / 8;
    if (space_of(in, &address) == Space::kGlobal) sectors[count++] = address / 32;
  }
  const auto bytes = static_cast<uint64_t>(f.rows * f.columns) * bits / 8;
  if (count) count_sectors(w, sectors, count, bytes, static_cast<uint32_t>(std::max<uint64_t>(bits / 8, 1)), access);
}

// refs: address, stride, registers.
void run_load(Warp& w, const Inst& in, Mask) {
  const Fragment& f = *static_cast<const Fragment*>(in.data);
  count_tile(w, in, f, Access::kRead);
  const int bits = bits_of(f.type), own = share(f);
  uint64_t values[64][kLanes];
  const uint32_t bytes = static_cast<uint32_t>(std::max(1, bits / 8));
  for (int lane = 0; lane < kLanes; ++lane)
    for (int e = 0; e < own; ++e) {
      const uint64_t at = element_index(f, lane * own + e, w.src<uint32_t>(in.refs[1])[lane]);
      uint64_t value = 0;
      std::memcpy(&value,
                  resolve(w, in, lane, lane_address(w, in, in.refs[0], lane) + at * static_cast<uint64_t>(bits) / 8, bytes, Access::kRead),
                  bytes);
      values[e][lane] = bits < 8 ? value >> at * static_cast<uint64_t>(bits) % 8 : value;
    }
  commit(w, f, in.refs + 2, values);
}

void run_store(Warp& w, const Inst& in, Mask) {
  const Fragment& f = *static_cast<const Fragment*>(in.data);
  count_tile(w, in, f, Access::kWrite);
  const int own = share(f);
  const uint32_t bytes = static_cast<uint32_t>(bytes_of(f.type));
  for (int lane = 0; lane < kLanes; ++lane)
    for (int e = 0; e < own; ++e) {
      const uint64_t at = element_index(f, lane * own + e, w.src<uint32_t>(in.refs[1])[lane]);
      const uint64_t value = get(w, f, in.refs + 2, lane, e);
      uint8_t* to = resolve(w, in, lane, lane_address(w, in, in.refs[0], lane) + at * bytes, bytes, Access::kWrite);
      note_shared_write(w, in, lane, to, &value, bytes);
      std::memcpy(to, &value, bytes);
    }
}

Fragment fragment(const Wmma& x, Part part) {
  const Type type = part == kA ? x.a : part == kB ? x.b : part == kC ? x.c : x.d;
  return {part == kB ? x.k : x.m, part == kA ? x.k : x.n, registers_of(x, part, type), type, false};
}

// refs: d, a, b, c.
void run_wmma(Warp& w, const Inst& in, Mask) {
  const Wmma& x = *static_cast<const Wmma*>(in.data);
  auto& tally = w.counters.tensor[in.data];
  if (tally.second++ == 0) tally.first = x.name;
  w.counters.tensor_macs += static_cast<uint64_t>(x.m) * static_cast<uint64_t>(x.n) * static_cast<uint64_t>(x.k);
  static thread_local Matrices matrices;
  const Fragment a = fragment(x, kA), b = fragment(x, kB), c = fragment(x, kC), d = fragment(x, kD);
  const auto gather = [&](const Fragment& f, const Ref* refs, double* to, int pitch) {
    const int own = share(f);
    for (int lane = 0; lane < kLanes; ++lane)
      for (int e = 0; e < own; ++e) {
        const int index = lane * own + e;
        to[index / f.columns * pitch + index % f.columns] = element_value(f.type, get(w, f, refs, lane, e));
      }
  };
  gather(a, in.refs + d.registers, matrices.a, kMaxK);
  gather(b, in.refs + d.registers + a.registers, matrices.b, kMaxN);
  gather(c, in.refs + d.registers + a.registers + b.registers, matrices.c, kMaxN);
  multiply(matrices, x.m, x.n, x.k, x.d, x.op);
  uint64_t values[64][kLanes];
  const int own = share(d);
  for (int lane = 0; lane < kLanes; ++lane)
    for (int e = 0; e < own; ++e) {
      const int index = lane * own + e;
      values[e][lane] = result_bits(x.d, matrices.c[index / d.columns * kMaxN + index % d.columns], x.saturate);
    }
  commit(w, d, in.refs, values);
}

bool shape(Build& b, Wmma& x) {
  static constexpr int shapes[][3] = {{16, 16, 16}, {32, 8, 16}, {8, 32, 16}, {16, 16, 8}, {8, 8, 4}, {8, 8, 32}, {8, 8, 128}};
  for (const auto& s : shapes)
    if (b.words.has("m" + std::to_string(s[0]) + "n" + std::to_string(s[1]) + "k" + std::to_string(s[2]))) {
      x.m = s[0], x.n = s[1], x.k = s[2];
      return true;
    }
  return false;
}

void select_transfer(Build& b, const Wmma& x, bool load) {
  const int part = load ? b.words.one_of({"a", "b", "c"}) : (b.words.has("d"), 3);
  if (part < 0) b.fail("expected .a, .b or .c");
  const int layout = b.words.one_of({"row", "col"});
  const int space = b.words.one_of({"global", "shared", "shared::cta"});
  const Type type = b.words.type();
  const Fragment f = {part == kB ? x.k : x.m, part == kA ? x.k : x.n, registers_of(x, static_cast<Part>(part), type), type, layout == 1};
  if (f.registers < 1) b.fail("this shape with this type");
  const size_t address = load ? 1 : 0;
  b.address(b.operand(address), space < 0 ? Space::kGeneric : space == 0 ? Space::kGlobal : Space::kShared);
  if (b.operands() > 2)
    b.src(2, Type::kU32);
  else
    b.constant(static_cast<uint64_t>(layout == 1 ? f.rows : f.columns), 32);
  vector_operand(b, load ? 0 : 1, f.registers, type, load);
  b.inst.cls = load ? Class::kMatrixLoad : space == 1 || space == 2 ? Class::kStoreShared : Class::kStoreGlobal;
  b.inst.run = load ? run_load : run_store;
  b.keep(f);
}

}  // namespace

bool select_wmma(Build& b) {
  if (b.words.base() != "wmma") return false;
  Wmma x;
  b.words.has("sync"), b.words.has("aligned");
  b.inst.flow = Flow::kAligned;
  if (!shape(b, x)) b.fail("this shape");
  const int what = b.words.one_of({"load", "store", "mma"});
  if (what < 0) b.fail("expected .load, .store or .mma");
  if (what < 2) return select_transfer(b, x, what == 0), true;
  b.words.has("row"), b.words.has("col");
  x.saturate = b.words.has("satfinite");
  b.words.has("rn");
  x.d = b.words.type(0);
  if (b.words.type(2) == Type::kNone) {
    x.c = b.words.type(1);
    x.a = x.b = Type::kF16;
  } else {
    x.a = b.words.type(1), x.b = b.words.type(2), x.c = b.words.type(3);
  }
  if (x.a == Type::kB1) x.op = b.words.one_of({"xor", "and"}) + 1, b.words.has("popc");
  std::snprintf(x.name, sizeof x.name, "wmma.m%dn%dk%d.%s.%s.%s.%s", x.m, x.n, x.k, type_name(x.d), type_name(x.a), type_name(x.b),
                type_name(x.c));
  const Fragment parts[] = {fragment(x, kD), fragment(x, kA), fragment(x, kB), fragment(x, kC)};
  for (const Fragment& part : parts)
    if (part.type == Type::kNone || part.registers < 1) b.fail("these types");
  for (size_t i = 0; i < 4; ++i) vector_operand(b, i, parts[i].registers, parts[i].type, i == 0);
  b.inst.cls = Class::kTensor;
  b.inst.run = run_wmma;
  b.keep(x);
  return true;
}

}  // namespace gpusim

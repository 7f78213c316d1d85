// ld st ldu prefetch cvta isspacep, and what only hints: applypriority discard createpolicy.
#include "../memory/device_memory.h"
#include "access.h"
#include "build.h"

namespace gpusim {
namespace {

constexpr size_t kMaxElements = 8;

template <class T>
uint64_t extended(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  if constexpr (std::is_signed_v<T>)
    return static_cast<uint64_t>(static_cast<int64_t>(value));
  else
    return value;
}

uint64_t read_element(const Inst& in, const uint8_t* from) {
  const bool s = is_signed(in.type);
  switch (in.bytes) {
    case 1: return s ? extended<int8_t>(from) : extended<uint8_t>(from);
    case 2: return s ? extended<int16_t>(from) : extended<uint16_t>(from);
    case 4: return s ? extended<int32_t>(from) : extended<uint32_t>(from);
    default: return extended<uint64_t>(from);
  }
}

// refs: address, registers.
void run_load(Warp& w, const Inst& in, Mask active) {
  const uint32_t bytes = static_cast<uint32_t>(in.bytes) * in.n;
  alignas(64) uint64_t out[kMaxElements][kLanes];
  if (w.block.launch.count_memory) count_access(w, in, in.refs[0], active, bytes, Access::kRead);
  for (int lane = 0; lane < kLanes; ++lane) {
    if (!(active >> lane & 1)) continue;
    const uint8_t* from = resolve(w, in, lane, lane_address(w, in, in.refs[0], lane), bytes, Access::kRead);
    for (size_t e = 0; e < in.n; ++e) out[e][lane] = read_element(in, from + e * in.bytes);
  }
  for (size_t e = 0; e < in.n; ++e) {
    if (in.wide_dst) {
      w.commit(in.refs[1 + e], out[e], active);
    } else {
      alignas(64) uint32_t narrow[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) narrow[lane] = static_cast<uint32_t>(active >> lane & 1 ? out[e][lane] : 0);
      w.commit(in.refs[1 + e], narrow, active);
    }
  }
}

// One 32-bit register of the commonest spaces, without the detour.
template <Space kSpace>
void run_load_word(Warp& w, const Inst& in, Mask active) {
  if (w.block.launch.count_memory) count_access(w, in, in.refs[0], active, 4, Access::kRead);
  alignas(64) uint32_t out[kLanes];
  if (kSpace == Space::kGlobal) {
    const DeviceMemory& memory = DeviceMemory::get();
    const uint64_t* base = w.src<uint64_t>(in.refs[0]);
    for (int lane = 0; lane < kLanes; ++lane) {
      if (!(active >> lane & 1)) continue;
      const uint64_t address = base[lane] + static_cast<uint64_t>(in.imm);
      const bool fine = memory.contains(address) && address % 4 == 0 && memory.written(address, 4);
      const uint8_t* from = fine ? reinterpret_cast<uint8_t*>(address) : resolve(w, in, lane, address, 4, Access::kRead);
      if (fine) touch(w, address, 4, Access::kRead);
      __builtin_memcpy(&out[lane], from, 4);
    }
  } else {  // a kernel parameter: the same for all
    uint32_t value = 0;
    const int lane = __builtin_ctz(active);
    std::memcpy(&value, resolve(w, in, lane, lane_address(w, in, in.refs[0], lane), 4, Access::kRead), 4);
    for (uint32_t& v : out) v = value;
  }
  w.commit(in.refs[1], out, active);
}

void run_store(Warp& w, const Inst& in, Mask active) {
  const uint32_t bytes = static_cast<uint32_t>(in.bytes) * in.n;
  if (w.block.launch.count_memory) count_access(w, in, in.refs[0], active, bytes, Access::kWrite);
  for (int lane = 0; lane < kLanes; ++lane) {
    if (!(active >> lane & 1)) continue;
    alignas(16) uint8_t data[32];
    for (size_t e = 0; e < in.n; ++e) {
      const uint64_t value = in.wide_dst ? w.src<uint64_t>(in.refs[1 + e])[lane] : w.src<uint32_t>(in.refs[1 + e])[lane];
      std::memcpy(data + e * in.bytes, &value, in.bytes);
    }
    uint8_t* to = resolve(w, in, lane, lane_address(w, in, in.refs[0], lane), bytes, Access::kWrite);
    note_shared_write(w, in, lane, to, data, bytes);
    if (in.strong && bytes == 4)
      __atomic_store_n(reinterpret_cast<uint32_t*>(to), *reinterpret_cast<uint32_t*>(data), __ATOMIC_RELEASE);
    else if (in.strong && bytes == 8)
      __atomic_store_n(reinterpret_cast<uint64_t*>(to), *reinterpret_cast<uint64_t*>(data), __ATOMIC_RELEASE);
    else if (bytes == 16)
      __builtin_memcpy(__builtin_assume_aligned(to, 16), data, 16);
    else
      std::memcpy(to, data, bytes);
  }
}

void run_nothing(Warp&, const Inst&, Mask) {}

template <int kSign>
void run_cvta(Warp& w, const Inst& in, Mask active) {  // in.imm: the window
  alignas(64) uint64_t out[kLanes];
  const uint64_t window = static_cast<uint64_t>(in.imm);
  for (int lane = 0; lane < kLanes; ++lane) {
    const uint64_t v = w.src<uint64_t>(in.refs[1])[lane];
    out[lane] = kSign > 0 ? v | window : v & ~window;
  }
  w.commit(in.refs[0], out, active);
}

void run_isspacep(Warp& w, const Inst& in, Mask active) {
  Mask yes = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    const uint64_t window = w.src<uint64_t>(in.refs[1])[lane] & kWindowMask;
    yes |= static_cast<Mask>(window == static_cast<uint64_t>(in.imm)) << lane;
  }
  w.set_predicate(in.refs[0], yes, active);
}

Space space_word(Build& b) {
  const int which = b.words.one_of({"global", "shared", "shared::cta", "local", "const", "param"});
  b.words.starts("param::");
  if (b.words.has("shared::cluster")) b.fail("clusters are not supported");
  static constexpr Space spaces[] = {Space::kGlobal, Space::kShared, Space::kShared, Space::kLocal, Space::kConst, Space::kParam};
  return which < 0 ? Space::kGeneric : spaces[which];
}

Class load_class(Space space) {
  switch (space) {
    case Space::kGlobal: return Class::kLoadGlobal;
    case Space::kShared: return Class::kLoadShared;
    case Space::kLocal: return Class::kLoadLocal;
    case Space::kConst: return Class::kLoadConst;
    case Space::kParam: return Class::kLoadParam;
    default: return Class::kLoadGeneric;
  }
}
Class store_class(Space space) {
  switch (space) {
    case Space::kGlobal: return Class::kStoreGlobal;
    case Space::kShared: return Class::kStoreShared;
    case Space::kLocal:
    case Space::kParam: return Class::kStoreLocal;
    default: return Class::kStoreGeneric;
  }
}

void hints(Build& b) {  // caches are not modelled
  b.words.one_of({"ca", "cg", "cs", "lu", "cv", "wb", "wt"});
  b.words.has("nc");
  b.words.starts("L1::");
  b.words.starts("L2::");
  b.words.starts("level::");
  b.words.has("unified");
  b.words.has("weak");
  b.words.one_of({"cta", "gpu", "sys", "cluster"});
}

void select_access(Build& b, bool load) {
  Inst& in = b.inst;
  const Space space = space_word(b);
  const bool is_volatile = b.words.has("volatile"), ordered = b.words.one_of({"relaxed", "acquire", "release", "mmio"}) >= 0;
  in.strong = is_volatile || ordered;
  hints(b);
  const int vector = b.words.one_of({"v2", "v4", "v8"});
  in.n = static_cast<uint8_t>(vector < 0 ? 1 : 2 << vector);
  in.type = b.words.type();
  in.bytes = static_cast<uint8_t>(bytes_of(in.type));
  if (in.type == Type::kNone || in.type == Type::kPred) b.fail("expected a type");
  if (in.type == Type::kB128) b.fail("128-bit registers are not supported");
  if (in.n * in.bytes > 32) b.fail("an access of more than 32 bytes");
  const Operand& address = b.operand(load ? 1 : 0);
  const Operand& data = b.operand(load ? 0 : 1);
  b.address(address, space);
  const std::vector<Operand> items = in.n > 1 ? data.items : std::vector<Operand>{data};
  if (items.size() != in.n) b.fail("the vector operand has another length");
  in.wide_dst = bits_of(in.type) == 64;
  for (const Operand& item : items)
    if (bits_of(b.register_type(item)) == 64) in.wide_dst = true;
  for (const Operand& item : items) {
    if (item.kind == Operand::Kind::kRegister && in.wide_dst && bits_of(b.register_type(item)) != 64)
      b.fail("registers of different widths");
    if (load)
      b.dst(item);
    else
      b.src(item, in.wide_dst ? (is_float(in.type) ? Type::kF64 : Type::kB64) : in.type);
  }
  in.cls = load ? load_class(in.space) : store_class(in.space);
  in.run = load ? run_load : run_store;
  const bool word = load && in.bytes == 4 && in.n == 1 && !in.wide_dst && !in.strong;
  const bool constant_address = b.refs[0].bits & Ref::kConstant;
  if (word && in.space == Space::kGlobal && in.wide_src) in.run = run_load_word<Space::kGlobal>;
  if (word && in.space == Space::kParam && constant_address) in.run = run_load_word<Space::kParam>;
}

uint64_t window_of(Space space) {
  return space == Space::kShared ? kSharedWindow : space == Space::kLocal ? kLocalWindow : space == Space::kParam ? kParamWindow : 0;
}

}  // namespace

bool select_memory(Build& b) {
  const std::string_view op = b.words.base();
  if (op == "ld" || op == "ldu" || op == "st") {
    select_access(b, op != "st");
  } else if (op == "prefetch" || op == "prefetchu" || op == "applypriority" || op == "discard") {
    space_word(b);
    b.words.one_of({"L1", "L2"});
    b.words.starts("L2::");
    b.words.has("tensormap");
    b.inst.cls = Class::kFence;
    b.inst.run = run_nothing;
  } else if (op == "createpolicy") {
    while (!b.words.left_over().empty()) b.words.has(b.words.left_over());
    b.inst.cls = Class::kMove;
    b.inst.run = run_nothing;
    b.dst(0);
  } else if (op == "cvta") {
    const bool to = b.words.has("to");
    const Space space = space_word(b);
    const Type type = b.words.type();
    if (bits_of(type) != 64) b.fail("only 64-bit addresses are supported");
    b.inst.cls = Class::kMove;
    b.inst.imm = static_cast<int64_t>(window_of(space));
    b.inst.run = to ? run_cvta<-1> : run_cvta<1>;
    b.dst(0);
    b.src(1, Type::kU64);
  } else if (op == "isspacep") {
    const Space space = space_word(b);
    b.inst.cls = Class::kCompare;
    b.inst.imm = static_cast<int64_t>(window_of(space));
    b.inst.run = run_isspacep;
    b.predicate_dst(b.operand(0));
    b.src(1, Type::kU64);
  } else {
    return false;
  }
  return true;
}

}  // namespace gpusim

// Extended precision: add.cc addc sub.cc subc mad.cc madc. The carry of each lane is a hidden predicate of the frame, refs[1].
#include "build.h"
#include "lanes.h"

namespace gpusim {
namespace {

template <class T>
using Wide = std::conditional_t<sizeof(T) == 8, unsigned __int128, uint64_t>;

// in.a: carry in, in.b: carry out, in.c: subtract.
template <class T>
void run_sum(Warp& w, const Inst& in, Mask active) {
  alignas(64) Slot<T> out[kLanes];
  const Slot<T>*x = w.src<T>(in.refs[2]), *y = w.src<T>(in.refs[3]);
  const Mask carry = in.a ? w.predicate(in.refs[1]) : 0;
  Mask result = 0;
  for (int i = 0; i < kLanes; ++i) {
    const Wide<T> a = from_slot<T>(x[i]), b = from_slot<T>(y[i]), c = carry >> i & 1;
    const Wide<T> sum = in.c ? a - b - c : a + b + c;
    out[i] = to_slot<T>(static_cast<T>(sum));
    result |= static_cast<Mask>(sum >> 8 * sizeof(T) & 1) << i;
  }
  w.commit(in.refs[0], out, active);
  if (in.b) w.set_predicate(in.refs[1], result, active);
}

// in.c: .hi; in.n: signed.
template <class T>
void run_mad(Warp& w, const Inst& in, Mask active) {
  using Signed = std::make_signed_t<T>;
  using SignedWide = std::conditional_t<sizeof(T) == 8, __int128, int64_t>;
  alignas(64) Slot<T> out[kLanes];
  const Slot<T>*x = w.src<T>(in.refs[2]), *y = w.src<T>(in.refs[3]), *z = w.src<T>(in.refs[4]);
  const Mask carry = in.a ? w.predicate(in.refs[1]) : 0;
  Mask result = 0;
  for (int i = 0; i < kLanes; ++i) {
    const T a = from_slot<T>(x[i]), b = from_slot<T>(y[i]);
    const Wide<T> product =
        in.n ? static_cast<Wide<T>>(static_cast<SignedWide>(static_cast<Signed>(a)) * static_cast<Signed>(b)) : static_cast<Wide<T>>(a) * b;
    const T part = static_cast<T>(in.c ? product >> 8 * sizeof(T) : product);
    const Wide<T> sum = static_cast<Wide<T>>(part) + from_slot<T>(z[i]) + (carry >> i & 1);
    out[i] = to_slot<T>(static_cast<T>(sum));
    result |= static_cast<Mask>(sum >> 8 * sizeof(T) & 1) << i;
  }
  w.commit(in.refs[0], out, active);
  if (in.b) w.set_predicate(in.refs[1], result, active);
}

}  // namespace

bool select_carry(Build& b) {
  const std::string_view op = b.words.base();
  const bool mad = op == "mad" || op == "madc", in = op == "addc" || op == "subc" || op == "madc";
  const Type type = b.words.type();
  if (!in && !((op == "add" || op == "sub" || op == "mad") && b.words.has("cc"))) return false;
  b.inst.cls = Class::kInteger;
  b.inst.a = in;
  b.inst.b = b.words.has("cc");
  b.inst.c = mad ? b.words.one_of({"lo", "hi"}) == 1 : op[0] == 's';
  b.inst.n = is_signed(type);
  const bool wide = bits_of(type) == 64;
  b.inst.run = mad ? (wide ? run_mad<uint64_t> : run_mad<uint32_t>) : (wide ? run_sum<uint64_t> : run_sum<uint32_t>);
  b.expect_operands(mad ? 4 : 3, mad ? 4 : 3);
  b.dst(0);
  b.refs.push_back({b.registers.carry()});
  b.uses.push_back({-1, false});
  for (size_t i = 1; i < b.operands(); ++i) b.src(i, type);
  return true;
}

}  // namespace gpusim

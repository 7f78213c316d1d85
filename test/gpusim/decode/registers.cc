#include "registers.h"

#include <algorithm>

namespace gpusim {
namespace {

class Bits {
 public:
  explicit Bits(size_t size) : words_((size + 63) / 64) {}
  bool get(size_t i) const { return words_[i / 64] >> (i % 64) & 1; }
  void set(size_t i) { words_[i / 64] |= uint64_t{1} << (i % 64); }
  // this = use | (out & ~def); true if it changed
  bool transfer(const Bits& use, const Bits& out, const Bits& def) {
    bool changed = false;
    for (size_t i = 0; i < words_.size(); ++i) {
      const uint64_t value = use.words_[i] | (out.words_[i] & ~def.words_[i]);
      changed |= value != words_[i];
      words_[i] = value;
    }
    return changed;
  }
  void add(const Bits& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  template <class F>
  void each(F f) const {
    for (size_t i = 0; i < words_.size(); ++i)
      for (uint64_t rest = words_[i]; rest; rest &= rest - 1) f(i * 64 + static_cast<size_t>(__builtin_ctzll(rest)));
  }

 private:
  std::vector<uint64_t> words_;
};

struct Life {
  int32_t start = INT32_MAX, end = -1;
  void cover(int32_t at) { start = std::min(start, at), end = std::max(end, at); }
};

}  // namespace

Placement place_registers(const Function& function, const std::vector<Inst>& code, const std::vector<std::vector<Registers::Use>>& uses,
                          const std::vector<BasicBlock>& blocks, uint32_t first_free) {
  const size_t count = function.registers.size();
  std::vector<Bits> use(blocks.size(), Bits(count)), def = use, in = use, out = use;
  for (size_t b = 0; b < blocks.size(); ++b)
    for (int32_t i = blocks[b].first; i < blocks[b].end; ++i) {
      const auto at = static_cast<size_t>(i);
      for (const Registers::Use& u : uses[at])  // a guarded write keeps what the other lanes have: it reads, too
        if (u.reg >= 0 && (!u.def || code[at].guarded) && !def[b].get(static_cast<size_t>(u.reg))) use[b].set(static_cast<size_t>(u.reg));
      for (const Registers::Use& u : uses[at])
        if (u.reg >= 0 && u.def && !code[at].guarded) def[b].set(static_cast<size_t>(u.reg));
    }
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t b = blocks.size(); b-- > 0;) {
      for (int32_t next : blocks[b].next)
        if (next < static_cast<int32_t>(blocks.size())) out[b].add(in[static_cast<size_t>(next)]);
      changed |= in[b].transfer(use[b], out[b], def[b]);
    }
  }
  // Reads happen at 2 i, writes at 2 i + 1: a register may take the place of one that is read for the last time.
  std::vector<Life> lives(count);
  for (size_t b = 0; b < blocks.size(); ++b) {
    in[b].each([&](size_t r) { lives[r].cover(2 * blocks[b].first); });
    out[b].each([&](size_t r) { lives[r].cover(2 * blocks[b].end - 1); });
    for (int32_t i = blocks[b].first; i < blocks[b].end; ++i)
      for (const Registers::Use& u : uses[static_cast<size_t>(i)])
        if (u.reg >= 0) lives[static_cast<size_t>(u.reg)].cover(2 * i + u.def);
  }
  std::vector<size_t> order;
  for (size_t r = 0; r < count; ++r)
    if (lives[r].end >= 0) order.push_back(r);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return lives[a].start < lives[b].start; });

  Placement result;
  result.offsets.assign(count, 0);
  struct Pool {
    uint32_t size;
    std::vector<uint32_t> free;
    std::vector<std::pair<int32_t, uint32_t>> active;  // (end, offset), a heap with the earliest end on top
  } pools[3] = {{4, {}, {}}, {128, {}, {}}, {256, {}, {}}};
  uint32_t next = first_free;
  int live = 0;
  const auto later = [](const auto& a, const auto& b) { return a.first > b.first; };
  const int units[3] = {0, 1, 2};
  for (size_t r : order) {
    for (int p = 0; p < 3; ++p) {
      Pool& pool = pools[p];
      while (!pool.active.empty() && pool.active.front().first < lives[r].start) {
        std::pop_heap(pool.active.begin(), pool.active.end(), later);
        pool.free.push_back(pool.active.back().second);
        pool.active.pop_back();
        live -= units[p];
      }
    }
    const Type type = function.registers[r];
    const int p = type == Type::kPred ? 0 : bits_of(type) > 32 ? 2 : 1;
    Pool& pool = pools[p];
    if (pool.free.empty()) {
      if (p == 0) {  // 32 predicates at a time, so that the lanes of the others stay aligned
        for (uint32_t i = 32; i-- > 0;) pool.free.push_back(next + 4 * i);
        next += 128;
      } else {
        pool.free.push_back(next);
        next += pool.size;
      }
    }
    result.offsets[r] = pool.free.back();
    pool.free.pop_back();
    pool.active.push_back({lives[r].end, result.offsets[r]});
    std::push_heap(pool.active.begin(), pool.active.end(), later);
    live += units[p];
    result.live = std::max(result.live, live);
  }
  result.bytes = next;
  return result;
}

}  // namespace gpusim

// A warp: 32 lanes, their registers, and the paths that they are on.
//
// A split is a group of lanes at one program counter. A branch that lanes disagree on makes two splits and a join at the branch's immediate
// post-dominator, where they become one again. Every split makes progress (a split that waits or spins lets the others run), so code that
// relies on independent thread scheduling works.
#pragma once
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "../check/checks.h"
#include "inst.h"

namespace gpusim {

class Block;
struct Barrier;

struct Frame {  // one activation of a function
  const Code* code = nullptr;
  std::unique_ptr<uint8_t[]> memory;
  uint8_t* regs = nullptr;
  const uint8_t* constants = nullptr;
  size_t local_base = 0;  // of its variables in the local memory of each thread
  Spot* spots = nullptr;  // what its instructions did, where that is counted
};

struct Split {
  enum State : uint8_t { kReady, kSync, kBarrier };
  Mask mask = 0;
  int32_t pc = 0;
  int32_t join = -1;  // index into joins; -1: the end of the thread
  Frame* frame = nullptr;
  State state = kReady;
  Mask wait = 0;  // kSync: lanes it waits for
  uint8_t barrier = 0;
};

struct Join {
  int32_t pc = 0;
  int32_t parent = -1;
  Frame* frame = nullptr;
  Mask pending = 0, arrived = 0;
  bool is_return = false, live = false;
  Frame* callee = nullptr;  // is_return: freed with the join
};

// A 32-lane register: narrow types live in 32-bit slots, whose upper bits mean nothing.
template <class T>
using Slot = std::conditional_t<(sizeof(T) > 4), uint64_t, uint32_t>;

template <class T>
inline T from_slot(Slot<T> slot) {
  T value;
  std::memcpy(&value, &slot, sizeof(T));
  return value;
}

template <class T>
inline Slot<T> to_slot(T value) {
  Slot<T> slot = 0;
  std::memcpy(&slot, &value, sizeof(T));
  return slot;
}

struct AsyncCopy {
  int lane;
  uint32_t offset, bytes;
  uint8_t data[16];
  uint32_t pc;
};

class Warp {
 public:
  Warp(Block& block, int index, Mask lanes);

  // Runs at most `budget` instructions; false if no split could move.
  bool run(uint64_t budget);
  bool done() const { return alive == 0; }

  uint8_t* at(Ref r) const { return regs + (r.bits & Ref::kOffset); }
  template <class T>
  const Slot<T>* src(Ref r) const {
    const uint8_t* base = r.bits & Ref::kConstant ? constants : regs;
    return reinterpret_cast<const Slot<T>*>(base + (r.bits & Ref::kOffset));
  }
  Mask predicate(Ref r) const {
    const Mask value = *src<uint32_t>(r);
    return r.bits & Ref::kNegated ? ~value : value;
  }
  void set_predicate(Ref r, Mask value, Mask active) const {
    uint32_t* p = reinterpret_cast<uint32_t*>(at(r));
    *p = (*p & ~active) | (value & active);
  }
  // Writes the active lanes. S: uint32_t or uint64_t.
  template <class S>
  void commit(Ref r, const S* values, Mask active) const {
    S* to = reinterpret_cast<S*>(at(r));
    if (active == kFullMask) {
      std::memcpy(to, values, sizeof(S) * kLanes);
      return;
    }
    for (int i = 0; i < kLanes; ++i) to[i] = active >> i & 1 ? values[i] : to[i];
  }

  // Moves of the program counter, for Flow::kControl; each ends the use of split().
  Split& split() { return splits[static_cast<size_t>(current)]; }
  void jump(int32_t pc) { split().pc = pc; }
  void diverge(Mask taken, int32_t target, int32_t other, int32_t reconverge);
  void call(const Code* code, const CallLayout& layout);
  void leave(Mask lanes);  // ret
  void exit(Mask lanes);

  uint8_t* local(int lane, uint64_t offset) { return local_.data() + static_cast<size_t>(lane) * local_stride_ + offset; }
  size_t local_bytes() const { return local_stride_; }
  std::string describe_wait(const Split& split) const;
  const Inst* inst() const { return inst_; }
  uint32_t pc_for_reports() const;
  Spot& spot() { return split().frame->spots[inst_ - split().frame->code->code.data()]; }  // of inst(); with Launch::count_memory only

  Block& block;
  const int index;
  Mask alive;
  uint32_t epoch = 1;  // __syncwarps so far
  uint8_t* regs = nullptr;
  const uint8_t* constants = nullptr;
  std::vector<Split> splits;
  std::vector<Join> joins;
  int current = 0;
  Counters& counters;

  // cp.async: copies not yet committed, and committed groups, oldest first, of each lane
  std::vector<AsyncCopy> copies;
  std::vector<std::vector<AsyncCopy>> groups[kLanes];

 private:
  bool pick();                // chooses a ready split
  bool release_collective();  // lets a warp-wide instruction run whose lanes are all there
  bool arrive_if_at_join();   // true if the current split has become part of a join
  void finish_join(int join);
  void select(int split);
  Frame* new_frame(const Code* code, size_t local_base);
  void run_split(uint64_t* budget);
  void tally(const Inst& inst, Mask active, int times);
  void run_collective(const Inst& inst, Mask lanes);
  Mask required(const Inst& inst, Mask active) const;

  std::vector<std::unique_ptr<Frame>> frames_;
  std::vector<uint8_t> local_;
  size_t local_stride_ = 0;
  const Inst* inst_ = nullptr;
};

}  // namespace gpusim

// One decoded instruction: a handler and resolved operands. Nothing in it needs a look-up by name when it runs.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "../count/counters.h"
#include "../ptx/module.h"

namespace gpusim {

constexpr int kLanes = 32;
using Mask = uint32_t;
constexpr Mask kFullMask = 0xffffffffu;

class Warp;
struct Inst;
struct Code;
using Handler = void (*)(Warp&, const Inst&, Mask);

// Where the lanes of an operand lie: in the registers of the frame or in the constants of the function. Up to 32 bits: 32 words of 4 bytes;
// 64 bits: of 8 bytes; 128 bits: pairs of 8 bytes; a predicate: one word, a bit for each lane.
struct Ref {
  static constexpr uint32_t kConstant = 1u << 31, kNegated = 1u << 30, kOffset = kNegated - 1;
  uint32_t bits = 0;
};

enum class Flow : uint8_t {
  kNext,        // the handler computes; then the next instruction
  kCollective,  // needs all lanes that refs[0] names; then as kNext
  kAligned,     // needs all lanes of the warp; then as kNext
  kBlocking,    // the lanes of the split may have to wait here
  kControl,     // the handler moves the program counter itself
};

struct Inst {
  Handler run = nullptr;
  const Ref* refs = nullptr;  // the handler says which is which; usually the destination first
  Ref guard;
  bool guarded = false;
  Flow flow = Flow::kNext;
  Class cls = Class::kInteger;
  Space space = Space::kGeneric;
  Type type = Type::kNone;
  uint8_t n = 1;                            // elements of a vector access, matrices of ldmatrix ...
  uint8_t bytes = 4;                        // of one element
  bool wide_dst = false, wide_src = false;  // a 64-bit register where the type has at most 32 bits
  uint8_t a = 0, b = 0, c = 0;              // modifiers, as the handler defines them
  bool is_table = false;                    // data is a table of branch targets
  bool strong = false;                      // volatile, relaxed, acquire or release: synchronises, so it does not race
  int32_t target = 0;                       // of a branch
  int32_t reconverge = -1;                  // immediate post-dominator of a branch; -1: the end of the function
  int64_t imm = 0;                          // offset of an address, look-up table of lop3 ...
  const void* data = nullptr;               // extra tables: targets of brx.idx, the callee
  const Instruction* source = nullptr;
};

// Where a call's arguments and results lie in the local memory of the caller.
struct CallLayout {
  const Function* callee = nullptr;  // null: through a register
  std::vector<size_t> arguments, results;
  std::vector<size_t> argument_bytes, result_bytes;
};

// A function ready to run.
struct Code {
  const Function* function = nullptr;
  const Module* module = nullptr;
  std::vector<Inst> code;
  std::vector<uint64_t> constants;
  size_t register_bytes = 0;
  size_t local_bytes = 0;                                 // .local and .param variables of one thread
  int live_registers = 0;                                 // most 32-bit registers alive at once, an estimate of what ptxas would need
  std::vector<std::pair<int, uint32_t>> specials;         // special register -> offset of its lanes
  std::vector<size_t> parameter_offsets, result_offsets;  // device functions: in local memory
  std::vector<Ref> refs;                                  // of all instructions
  std::vector<std::shared_ptr<void>> extras;              // what Inst::data points to
};

enum Special : int {
  kTidX,
  kTidY,
  kTidZ,
  kNtidX,
  kNtidY,
  kNtidZ,
  kCtaidX,
  kCtaidY,
  kCtaidZ,
  kNctaidX,
  kNctaidY,
  kNctaidZ,
  kLaneid,
  kWarpid,
  kNwarpid,
  kSmid,
  kNsmid,
  kGridid,
  kLanemaskEq,
  kLanemaskLe,
  kLanemaskLt,
  kLanemaskGe,
  kLanemaskGt,
  kDynamicSmem,
  kTotalSmem,
  kLocalBase,
  kWarpSize,
  kClusterOne,
  kClusterZero,
  kCarry,
  kWorkspaceHigh,
  kWorkspaceLow,
  kReservedOffset,
};

// Generic addresses: device memory is where it is; the other windows lie where no pointer of a process does.
constexpr uint64_t kSharedWindow = uint64_t{1} << 60, kLocalWindow = uint64_t{1} << 61, kParamWindow = uint64_t{1} << 62,
                   kFunctionWindow = uint64_t{1} << 59, kWindowMask = ~((uint64_t{1} << 58) - 1);

// The part of shared memory that belongs to the system, for cooperative groups; out of the way of what belongs to the program.
constexpr uint32_t kReservedShared = 1u << 20, kReservedSharedBytes = 1024;

}  // namespace gpusim

// Makes an Inst from a parsed instruction. Each family of instructions (the other files of this folder) has a select function that looks at
// the words, says which operands are written and read, and sets the handler.
#pragma once
#include <map>
#include <string>

#include "../exec/inst.h"
#include "words.h"

namespace gpusim {

// What addresses and calls need to know about the program.
class Symbols {
 public:
  virtual ~Symbols() = default;
  // The address of a variable or function that an instruction names: absolute (device memory, windows), or an offset in shared memory.
  // `local`: relative to the local memory of the frame.
  struct Address {
    bool found = false, local = false;
    uint64_t value = 0;
    Space space = Space::kGeneric;
    const Variable* variable = nullptr;
  };
  virtual Address address(const Function& function, int scope, std::string_view name) = 0;
  virtual const Function* function(std::string_view name) = 0;
};

// Registers, constants and special registers of one function while it is decoded.
struct Registers {
  struct Use {
    int reg;  // virtual register
    bool def;
  };
  std::vector<uint64_t> constants;
  std::map<std::pair<uint64_t, int>, uint32_t> constant_offsets;  // (value, bits)
  std::map<int, uint32_t> specials;
  uint32_t next = 512;  // the first 512 bytes of a frame take what is written to `_`
  uint32_t constant(uint64_t value, int bits);
  uint32_t special(int special);
  uint32_t carry() { return special(kCarry); }
};

class Build {
 public:
  Build(const Function& function, const Instruction& source, Symbols& symbols, Registers& registers);

  Inst inst;
  Words words;
  const Instruction& source;
  const Function& function;
  Symbols& symbols;
  Registers& registers;
  std::vector<Ref> refs;
  std::vector<Registers::Use> uses;  // parallel to refs; reg -1: already placed
  // What inst.data points to; the Code keeps it.
  template <class T>
  T* keep(T value) {
    auto kept = std::make_shared<T>(std::move(value));
    extras.push_back(kept);
    inst.data = kept.get();
    return kept.get();
  }
  std::vector<std::shared_ptr<void>> extras;

  size_t operands() const { return source.operands.size(); }
  const Operand& operand(size_t i) const;
  void expect_operands(size_t least, size_t most) const;

  void dst(size_t i) { dst(operand(i)); }
  void src(size_t i, Type type) { src(operand(i), type); }
  void dst(const Operand& o);
  void src(const Operand& o, Type type);
  void dst_src(const Operand& o);  // read and written
  void constant(uint64_t value, int bits);
  void sink() { refs.push_back({0}), uses.push_back({-1, false}); }
  void predicate_dst(const Operand& o);
  void predicate_src(const Operand& o);
  // [base + offset]: one reference to 64-bit (or, for shared memory, 32-bit) lanes; the offset goes to inst.imm; inst.wide_src: 64 bits.
  void address(const Operand& o, Space space);
  // dst, a, b ... with sources of one type.
  void plain(Handler run, Type type, size_t sources);
  Type register_type(const Operand& o) const;  // kNone if it is none
  int64_t integer(size_t i) const;             // an immediate

  [[noreturn]] void fail(const std::string& what) const;
};

// Each returns false if the opcode is not of its family.
bool select_integer(Build& b);
bool select_bits(Build& b);
bool select_carry(Build& b);
bool select_float(Build& b);
bool select_half(Build& b);
bool select_compare(Build& b);
bool select_convert(Build& b);
bool select_move(Build& b);
bool select_control(Build& b);
bool select_barrier(Build& b);
bool select_memory(Build& b);
bool select_atomic(Build& b);
bool select_async(Build& b);
bool select_warp(Build& b);
bool select_mma(Build& b);
bool select_wmma(Build& b);
bool select_matrix_load(Build& b);

}  // namespace gpusim

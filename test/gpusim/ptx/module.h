// What a PTX text says, as a tree: variables, functions and their instructions, with registers and labels resolved to numbers.
// Words stay views into the text, which the Module owns.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "types.h"

namespace gpusim {

struct PtxError : std::runtime_error {
  PtxError(int ptx_line, const std::string& what) : std::runtime_error("PTX line " + std::to_string(ptx_line) + ": " + what) {}
};

struct Operand {
  enum class Kind : uint8_t {
    kRegister,  // reg
    kInteger,   // value
    kFloat32,   // value = the bits of a float
    kFloat64,   // value = the bits of a double
    kSymbol,    // name + value: a variable, function, label or special register
    kAddress,   // [items[0] + value]; items[0] is a register, symbol or integer
    kVector,    // {items...}
    kList,      // (items...), of a call
    kPair,      // items[0] | items[1]
    kSink,      // _
  };
  Kind kind = Kind::kSink;
  bool negated = false;  // !p
  int reg = -1;
  int64_t value = 0;
  std::string_view name;
  std::vector<Operand> items;
};

struct Instruction {
  std::string_view opcode;              // as written: "add.sat.s32"
  std::vector<std::string_view> parts;  // its words: "add", "sat", "s32"
  std::vector<Operand> operands;
  int guard = -1;  // predicate register of @p
  bool guard_negated = false;
  int ptx_line = 0;
  int file = 0, line = 0;  // from .loc; 0 where there is none
  int scope = 0;           // for labels and local variables
};

struct Relocation {
  size_t offset;
  std::string_view symbol;
  int64_t addend;
};

struct Variable {
  std::string_view name;
  Space space = Space::kGlobal;
  Type type = Type::kB8;
  size_t bytes = 0, align = 1;
  bool is_extern = false, is_managed = false;
  int scope = 0;
  size_t offset = 0;          // parameters: in the parameter block of the function
  std::vector<uint8_t> data;  // initial value; may be shorter than bytes
  std::vector<Relocation> relocations;
};

struct Function {
  std::string_view name;
  bool is_entry = false, has_body = false, is_weak = false;
  std::vector<Variable> parameters, results;
  size_t parameter_bytes = 0;
  std::vector<Type> registers;
  std::vector<Instruction> code;
  std::vector<Variable> variables;                         // .local, .shared, .param and .const of the body
  std::map<std::pair<int, std::string_view>, int> labels;  // (scope, name) -> index into code
  std::map<std::pair<int, std::string_view>, std::vector<std::string_view>> branch_targets;
  std::vector<int> scope_parent;  // scope 0 is the body, its parent -1
  int max_threads[3] = {0, 0, 0}, required_threads[3] = {0, 0, 0}, max_registers = 0, min_blocks = 0;

  // Index of a label seen from a scope; -1 if there is none.
  int label(int scope, std::string_view name) const;
  const std::vector<std::string_view>* targets(int scope, std::string_view name) const;
  const Variable* variable(int scope, std::string_view name) const;
};

struct Module {
  std::string text;
  int target = 0;  // 80 for sm_80
  std::vector<Variable> variables;
  std::vector<std::unique_ptr<Function>> functions;
  std::map<int, std::string> files;

  const Function* function(std::string_view name) const;  // the one with a body, if any
};

// Throws PtxError.
std::unique_ptr<Module> parse_ptx(std::string text);

}  // namespace gpusim

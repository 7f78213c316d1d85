// The grammar of PTX: module level in parser.cc, function bodies in parse_body.cc.
#pragma once
#include <unordered_map>

#include "cursor.h"

namespace gpusim {

class Parser {
 public:
  explicit Parser(Module* module) : module_(module), in_(module->text) {}
  void run();

 private:
  // parser.cc
  void module_directive();
  void function(bool is_entry, bool is_weak);
  std::vector<Variable> parameters();
  // Declarators after the state space: attributes, type, names and initial values up to (not including) ';', ')' or ','.
  Variable variable(Space space, bool with_initial_value);
  void variables(Space space, std::vector<Variable>* list, bool is_extern, int scope);
  void initial_value(Variable* v, size_t* offset);

  // parse_body.cc
  void body(Function* f);
  void scope(int parent);
  void statement(int scope);
  void body_directive(int scope);
  void registers(int scope);
  void location();
  void instruction(int scope, std::string_view opcode);
  Operand operand(int scope);
  Operand simple_operand(int scope);
  int find_register(int scope, std::string_view name) const;

  Module* module_;
  Cursor in_;
  Function* f_ = nullptr;
  struct Range {
    int first, count;  // count 0: the name itself, else name<count>
  };
  std::vector<std::unordered_map<std::string_view, Range>> registers_;  // by scope
  int file_ = 0, line_ = 0, depth_ = 0;
  Instruction pending_guard_;
};

}  // namespace gpusim

// Function bodies: scopes, registers, labels, instructions and their operands.
#include "parser.h"

namespace gpusim {
namespace {

constexpr int kMaxRegisters = 1 << 20, kMaxDepth = 200;

using Kind = Operand::Kind;

}  // namespace

void Parser::body(Function* f) {
  f->has_body = true;
  registers_.clear();
  file_ = line_ = 0;
  scope(-1);
}

void Parser::scope(int parent) {
  if (++depth_ > kMaxDepth) in_.fail("blocks are nested too deep");
  const int me = static_cast<int>(f_->scope_parent.size());
  f_->scope_parent.push_back(parent);
  registers_.emplace_back();
  in_.expect('{');
  while (!in_.accept('}')) {
    if (in_.at_end()) in_.fail("a '{' without its '}'");
    statement(me);
  }
  --depth_;
}

void Parser::statement(int scope_id) {
  if (in_.accept(';')) return;
  if (in_.peek() == '{') return scope(scope_id);
  if (in_.peek() == '.') return body_directive(scope_id);
  Instruction guard;
  if (in_.accept('@')) {
    guard.guard_negated = in_.accept('!');
    const std::string_view name = in_.identifier();
    guard.guard = find_register(scope_id, name);
    if (guard.guard < 0 || f_->registers[static_cast<size_t>(guard.guard)] != Type::kPred)
      in_.fail("'" + std::string(name) + "' is not a predicate register");
    pending_guard_ = guard;
    return instruction(scope_id, in_.opcode());
  }
  pending_guard_ = guard;
  std::string_view word = in_.opcode();
  if (word.back() != ':' && !in_.looking_at(":")) return instruction(scope_id, word);
  if (word.back() == ':')
    word.remove_suffix(1);
  else
    in_.expect(':');
  if (in_.peek() == '.') {
    if (in_.looking_at(".branchtargets") || in_.looking_at(".calltargets")) {
      in_.directive();
      std::vector<std::string_view> names;
      do names.push_back(in_.identifier());
      while (in_.accept(','));
      in_.expect(';');
      f_->branch_targets[{scope_id, word}] = names;
      return;
    }
    if (in_.looking_at(".callprototype")) {
      in_.skip_to(';');
      in_.expect(';');
      return;
    }
  }
  if (!f_->labels.insert({{scope_id, word}, static_cast<int>(f_->code.size())}).second) in_.fail("label '" + std::string(word) + "' twice");
}

void Parser::body_directive(int scope_id) {
  const std::string_view word = in_.directive();
  if (word == "reg") return registers(scope_id);
  if (word == "local") return variables(Space::kLocal, &f_->variables, false, scope_id);
  if (word == "shared") return variables(Space::kShared, &f_->variables, false, scope_id);
  if (word == "param") return variables(Space::kParam, &f_->variables, false, scope_id);
  if (word == "loc") return location();
  if (word == "pragma") return in_.skip_to(';'), in_.expect(';');
  in_.fail("directive ." + std::string(word) + " in a function is not supported");
}

void Parser::registers(int scope_id) {
  const Type type = type_named(in_.directive());
  if (type == Type::kNone) in_.fail("unknown type of a register");
  do {
    const std::string_view name = in_.identifier();
    int64_t count = 0;
    if (in_.accept('<')) {
      count = in_.integer();
      in_.expect('>');
      if (count < 0 || count > kMaxRegisters) in_.fail("too many registers");
    }
    const int first = static_cast<int>(f_->registers.size());
    f_->registers.resize(f_->registers.size() + static_cast<size_t>(count ? count : 1), type);
    if (f_->registers.size() > kMaxRegisters) in_.fail("too many registers");
    registers_[static_cast<size_t>(scope_id)][name] = {first, static_cast<int>(count)};
  } while (in_.accept(','));
  in_.expect(';');
}

int Parser::find_register(int scope_id, std::string_view name) const {
  size_t stem = name.size();
  while (stem > 0 && name[stem - 1] >= '0' && name[stem - 1] <= '9') --stem;
  int64_t number = -1;
  if (stem < name.size() && name.size() - stem < 9) {
    number = 0;
    for (size_t i = stem; i < name.size(); ++i) number = number * 10 + (name[i] - '0');
  }
  for (; scope_id >= 0; scope_id = f_->scope_parent[static_cast<size_t>(scope_id)]) {
    const auto& names = registers_[static_cast<size_t>(scope_id)];
    auto found = names.find(name);
    if (found != names.end() && found->second.count == 0) return found->second.first;
    if (number < 0) continue;
    found = names.find(name.substr(0, stem));
    if (found != names.end() && number < found->second.count) return found->second.first + static_cast<int>(number);
  }
  return -1;
}

void Parser::location() {  // .loc file line column [, function_name label, inlined_at file line column]
  file_ = static_cast<int>(in_.integer());
  line_ = static_cast<int>(in_.integer());
  in_.integer();
  while (in_.accept(',')) {
    const std::string_view word = in_.identifier();
    if (word == "function_name") {
      in_.identifier();
      if (in_.accept('+')) in_.integer();
    } else if (word == "inlined_at") {
      for (int i = 0; i < 3; ++i) in_.integer();
    } else {
      in_.fail("unknown word '" + std::string(word) + "' in .loc");
    }
  }
}

void Parser::instruction(int scope_id, std::string_view opcode) {
  Instruction i = pending_guard_;
  i.opcode = opcode;
  i.ptx_line = in_.line();
  i.file = file_;
  i.line = line_;
  i.scope = scope_id;
  for (size_t at = 0; at <= opcode.size();) {
    const size_t dot = std::min(opcode.find('.', at), opcode.size());
    i.parts.push_back(opcode.substr(at, dot - at));
    at = dot + 1;
  }
  if (in_.peek() != ';') do
      i.operands.push_back(operand(scope_id));
    while (in_.accept(','));
  in_.expect(';');
  f_->code.push_back(std::move(i));
}

Operand Parser::operand(int scope_id) {
  if (++depth_ > kMaxDepth) in_.fail("operands are nested too deep");
  Operand o;
  const auto items = [&](char close) {
    if (!in_.accept(close)) {
      do o.items.push_back(operand(scope_id));
      while (in_.accept(','));
      in_.expect(close);
    }
  };
  if (in_.accept('{')) {
    o.kind = Kind::kVector;
    items('}');
  } else if (in_.accept('(')) {
    o.kind = Kind::kList;
    items(')');
  } else if (in_.accept('[')) {
    o.kind = Kind::kAddress;
    Operand base = simple_operand(scope_id);
    if (base.kind == Kind::kSymbol || base.kind == Kind::kInteger) {
      o.value = base.value;
      base.value = 0;
    }
    if (in_.peek() == '+' || in_.peek() == '-') o.value += in_.accept('+') ? in_.integer() : in_.integer();
    o.items.push_back(std::move(base));
    if (in_.peek() == ',') in_.fail("addresses with several parts (textures, tensors) are not supported");
    in_.expect(']');
  } else if (in_.accept('!')) {
    o = simple_operand(scope_id);
    o.negated = true;
  } else {
    o = simple_operand(scope_id);
  }
  if (in_.accept('|')) {
    Operand pair;
    pair.kind = Kind::kPair;
    pair.items = {o, operand(scope_id)};
    o = std::move(pair);
  }
  --depth_;
  return o;
}

Operand Parser::simple_operand(int scope_id) {
  if (in_.at_number()) return in_.number();
  Operand o;
  const std::string_view name = in_.identifier();
  if (name == "_") return o;
  o.reg = find_register(scope_id, name);
  if (o.reg >= 0) {
    o.kind = Kind::kRegister;
    if (in_.peek() == '.') in_.fail("elements of vector registers are not supported");
    return o;
  }
  o.kind = Kind::kSymbol;
  o.name = name;
  if (name[0] == '%' && in_.peek() == '.') {  // %tid.x
    in_.expect('.');
    const std::string_view axis = in_.identifier();
    o.name = std::string_view(name.data(), static_cast<size_t>(axis.data() + axis.size() - name.data()));
  } else if (in_.peek() == '+') {
    in_.expect('+');
    o.value = in_.integer();
  }
  return o;
}

}  // namespace gpusim

#include "parser.h"

#include <cstring>

namespace gpusim {
namespace {

constexpr size_t kMaxVariableBytes = size_t{1} << 32;

size_t align_up(size_t value, size_t align) { return (value + align - 1) / align * align; }

}  // namespace

std::unique_ptr<Module> parse_ptx(std::string text) {
  auto module = std::make_unique<Module>();
  const size_t end = text.find('\0');
  if (end != std::string::npos) text.resize(end);
  module->text = std::move(text);
  Parser(module.get()).run();
  return module;
}

void Parser::run() {
  while (!in_.at_end()) module_directive();
}

void Parser::module_directive() {
  bool is_extern = false, is_weak = false;
  for (;;) {
    const std::string_view word = in_.directive();
    if (word == "version") {
      in_.number();
    } else if (word == "target") {
      do {
        const std::string_view name = in_.identifier();
        if (name.substr(0, 3) == "sm_") module_->target = std::atoi(std::string(name.substr(3)).c_str());
      } while (in_.accept(','));
    } else if (word == "address_size") {
      if (in_.integer() != 64) in_.fail("only 64-bit addresses are supported");
    } else if (word == "file") {
      const int number = static_cast<int>(in_.integer());
      module_->files[number] = in_.string();
      while (in_.accept(',')) in_.integer();
    } else if (word == "section") {
      in_.expect('.');
      in_.identifier();
      in_.skip_braces();
    } else if (word == "pragma") {
      in_.skip_to(';');
      in_.expect(';');
    } else if (word == "alias") {
      in_.fail("directive .alias is not supported");
    } else if (word == "extern") {
      is_extern = true;
      continue;
    } else if (word == "weak" || word == "common") {
      is_weak = true;
      continue;
    } else if (word == "visible") {
      continue;
    } else if (word == "entry" || word == "func") {
      function(word == "entry", is_weak);
    } else if (word == "global") {
      variables(Space::kGlobal, &module_->variables, is_extern, 0);
    } else if (word == "const") {
      variables(Space::kConst, &module_->variables, is_extern, 0);
    } else if (word == "shared") {
      variables(Space::kShared, &module_->variables, is_extern, 0);
    } else {
      in_.fail("directive ." + std::string(word) + " is not supported");
    }
    return;
  }
}

void Parser::variables(Space space, std::vector<Variable>* list, bool is_extern, int scope) {
  Variable v = variable(space, true);
  for (;;) {
    v.is_extern = is_extern;
    v.scope = scope;
    list->push_back(v);
    if (!in_.accept(',')) break;
    Variable next = v;  // further declarators share type and alignment
    next.name = in_.identifier();
    next.bytes = static_cast<size_t>(bytes_of(v.type));
    v = next;
  }
  in_.expect(';');
}

Variable Parser::variable(Space space, bool with_initial_value) {
  Variable v;
  v.space = space;
  size_t align = 0, vector = 1;
  for (bool typed = false; !typed;) {
    const std::string_view word = in_.directive();
    if (word == "align") {
      align = static_cast<size_t>(in_.integer());
    } else if (word == "attribute") {
      in_.expect('(');
      if (in_.directive() == "managed") v.is_managed = true;
      in_.skip_to(')');
      in_.expect(')');
    } else if (word == "v2" || word == "v4") {
      vector = static_cast<size_t>(word[1] - '0');
    } else {
      v.type = type_named(word);
      if (v.type == Type::kNone) in_.fail("unknown type or attribute ." + std::string(word) + " of a variable");
      typed = true;
    }
  }
  while (in_.peek() == '.') {  // .ptr [.space] [.align n] of kernel parameters
    const std::string_view word = in_.directive();
    if (word == "align") in_.integer();
  }
  v.name = in_.identifier();
  v.bytes = static_cast<size_t>(bytes_of(v.type)) * vector;
  while (in_.accept('[')) {
    const int64_t count = in_.at_number() ? in_.integer() : 0;
    in_.expect(']');
    if (count < 0 || (count > 0 && v.bytes > kMaxVariableBytes / static_cast<size_t>(count))) in_.fail("a variable is too large");
    v.bytes *= static_cast<size_t>(count);
  }
  const size_t natural = static_cast<size_t>(bytes_of(v.type)) * vector;
  v.align = align ? align : natural;
  if (v.align == 0 || (v.align & (v.align - 1)) != 0 || v.align > 4096)
    in_.fail("the alignment of a variable is not a power of two up to 4096");
  if (with_initial_value && in_.accept('=')) {
    size_t offset = 0;
    initial_value(&v, &offset);
    if (offset > v.bytes) {
      if (v.bytes != 0) in_.fail("more initial values than the variable has room for");
      v.bytes = offset;
    }
  }
  return v;
}

void Parser::initial_value(Variable* v, size_t* offset) {
  if (in_.accept('{')) {
    if (in_.peek() != '}') do {
        initial_value(v, offset);
      } while (in_.accept(','));
    in_.expect('}');
    return;
  }
  const size_t bytes = static_cast<size_t>(bytes_of(v->type));
  if (*offset > (size_t{1} << 30)) in_.fail("too many initial values");
  v->data.resize(*offset + bytes);
  int64_t value = 0;
  if (in_.at_number()) {
    const Operand number = in_.number();
    value = number.value;
    if (number.kind == Operand::Kind::kFloat64 && v->type == Type::kF32) {
      double wide;
      std::memcpy(&wide, &number.value, 8);
      const float narrow = static_cast<float>(wide);
      std::memcpy(&value, &narrow, 4);
    }
  } else {
    std::string_view name = in_.identifier();
    bool nested = false;
    if (name == "generic" && in_.accept('(')) nested = true, name = in_.identifier();
    int64_t addend = 0;
    if (in_.peek() == '+' || in_.peek() == '-') addend = in_.accept('+') ? in_.integer() : in_.integer();
    if (nested) in_.expect(')');
    if (in_.peek() == '+' || in_.peek() == '-') addend += in_.accept('+') ? in_.integer() : in_.integer();
    if (bytes != 8) in_.fail("the address of '" + std::string(name) + "' in a variable that is not 64 bits wide");
    v->relocations.push_back({*offset, name, addend});
  }
  std::memcpy(v->data.data() + *offset, &value, bytes < 8 ? bytes : 8);
  *offset += bytes;
}

std::vector<Variable> Parser::parameters() {
  std::vector<Variable> list;
  in_.expect('(');
  if (in_.accept(')')) return list;
  size_t offset = 0;
  do {
    const std::string_view word = in_.directive();
    if (word != "param") in_.fail("parameters in ." + std::string(word) + " space are not supported");
    Variable v = variable(Space::kParam, false);
    v.offset = offset = align_up(offset, v.align);
    offset += v.bytes;
    list.push_back(v);
  } while (in_.accept(','));
  in_.expect(')');
  return list;
}

void Parser::function(bool is_entry, bool is_weak) {
  auto f = std::make_unique<Function>();
  f->is_entry = is_entry;
  f->is_weak = is_weak;
  if (!is_entry && in_.peek() == '(') f->results = parameters();
  f->name = in_.identifier();
  if (in_.peek() == '(') f->parameters = parameters();
  for (const Variable& p : f->parameters) f->parameter_bytes = std::max(f->parameter_bytes, p.offset + p.bytes);
  while (in_.peek() == '.') {
    const std::string_view word = in_.directive();
    const auto triple = [&](int* to) {
      to[0] = static_cast<int>(in_.integer());
      for (int i = 1; i < 3; ++i) to[i] = in_.accept(',') ? static_cast<int>(in_.integer()) : 1;
    };
    if (word == "maxntid")
      triple(f->max_threads);
    else if (word == "reqntid")
      triple(f->required_threads);
    else if (word == "maxnreg")
      f->max_registers = static_cast<int>(in_.integer());
    else if (word == "minnctapersm" || word == "maxnctapersm")
      f->min_blocks = static_cast<int>(in_.integer());
    else if (word == "noreturn")
      continue;
    else if (word == "pragma")
      in_.skip_to(';'), in_.expect(';');
    else
      in_.fail("directive ." + std::string(word) + " of a function is not supported");
  }
  f_ = f.get();
  if (in_.peek() == '{')
    body(f.get());
  else
    in_.expect(';');
  module_->functions.push_back(std::move(f));
}

}  // namespace gpusim

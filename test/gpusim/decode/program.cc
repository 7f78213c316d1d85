#include "program.h"

#include <cstring>

#include "../memory/device_memory.h"

namespace gpusim {
namespace {

size_t align_up(size_t value, size_t align) { return (value + align - 1) / align * align; }

}  // namespace

Program::Program(std::unique_ptr<Module> module) : module_(std::move(module)) {
  DeviceMemory& memory = DeviceMemory::get();
  for (const Variable& v : module_->variables) {
    if (v.space == Space::kShared || v.is_extern) continue;
    const MemoryKind kind = v.is_managed ? MemoryKind::kManaged : v.space == Space::kConst ? MemoryKind::kConstant : MemoryKind::kVariable;
    void* at = memory.allocate(std::max<size_t>(v.bytes, 1), kind, std::max<size_t>(v.align, 256), std::string(v.name));
    if (!at) throw Fault(Check::kHeap, -1, "no device memory left for variable '" + std::string(v.name) + "'");
    std::memset(at, 0, v.bytes);
    if (!v.data.empty()) std::memcpy(at, v.data.data(), std::min(v.data.size(), v.bytes));
    memory.mark_written(reinterpret_cast<uint64_t>(at), v.bytes);
    variables_[v.name] = {reinterpret_cast<uint64_t>(at), v.bytes};
  }
  for (const Variable& v : module_->variables)
    for (const Relocation& r : v.relocations) {
      if (!variable(v.name) || r.offset + 8 > v.bytes) continue;  // of a shared or extern variable
      uint64_t target = variable(r.symbol);
      if (!target)
        if (const Function* f = module_->function(r.symbol)) target = address_of_function(f);
      if (!target)
        throw Fault(Check::kInstruction, -1,
                    "variable '" + std::string(v.name) + "' holds the address of '" + std::string(r.symbol) + "', which is not there");
      target += static_cast<uint64_t>(r.addend);
      std::memcpy(reinterpret_cast<uint8_t*>(variable(v.name)) + r.offset, &target, 8);
    }
}

Program::~Program() {
  for (const auto& [name, at] : variables_) DeviceMemory::get().free(reinterpret_cast<void*>(at.first));
}

Kernel* Program::kernel(std::string_view name) {
  const auto found = kernels_.find(name);
  if (found != kernels_.end()) return found->second.get();
  const Function* entry = module_->function(name);
  if (!entry || !entry->is_entry || !entry->has_body) return nullptr;
  return (kernels_[std::string(name)] = std::make_unique<Kernel>(*this, *entry)).get();
}

uint64_t Program::variable(std::string_view name, size_t* bytes) const {
  const auto found = variables_.find(name);
  if (found == variables_.end()) return 0;
  if (bytes) *bytes = found->second.second;
  return found->second.first;
}

uint64_t Program::address_of_function(const Function* function) const {
  for (size_t i = 0; i < module_->functions.size(); ++i)
    if (module_->functions[i].get() == function) return kFunctionWindow + 16 * (i + 1);
  return 0;
}

const Function* Program::function_at(uint64_t address) const {
  const uint64_t offset = address - kFunctionWindow, index = offset / 16;
  if ((address & kWindowMask) != kFunctionWindow || offset % 16 || index == 0 || index > module_->functions.size()) return nullptr;
  return module_->functions[index - 1].get();
}

Kernel::Kernel(Program& program, const Function& entry) : program_(program), entry_(entry) {
  std::set<const Function*> seen;
  collect(entry, seen);
}

void Kernel::place(const Variable& v) {
  if (v.space != Space::kShared || v.is_extern || shared_.count(&v)) return;
  static_shared_ = align_up(static_shared_, v.align);
  shared_[&v] = static_shared_;
  static_shared_ += v.bytes;
}

size_t Kernel::dynamic_offset() const {
  size_t align = 16;
  for (const Variable& v : program_.module().variables)
    if (v.space == Space::kShared && v.is_extern) align = std::max(align, v.align);
  return align_up(static_shared_, align);
}

// Shared variables of everything that the kernel can reach.
void Kernel::collect(const Function& function, std::set<const Function*>& seen) {
  if (!seen.insert(&function).second) return;
  for (const Variable& v : function.variables) place(v);
  bool indirect = false;
  const auto visit = [&](const Operand& o, const auto& self) -> void {
    if (o.kind == Operand::Kind::kSymbol) {
      for (const Variable& v : program_.module().variables)
        if (v.space == Space::kShared && v.name == o.name) place(v);
      if (const Function* f = program_.module().function(o.name))
        if (f->has_body && !f->is_entry) collect(*f, seen);
    }
    for (const Operand& item : o.items) self(item, self);
  };
  for (const Instruction& i : function.code) {
    if (i.parts[0] == "call") {
      bool named = false;
      for (const Operand& o : i.operands) named |= o.kind == Operand::Kind::kSymbol && program_.module().function(o.name);
      indirect |= !named;
    }
    for (const Operand& o : i.operands) visit(o, visit);
  }
  if (indirect)
    for (const auto& f : program_.module().functions)
      if (f->has_body && !f->is_entry) collect(*f, seen);
}

const Code* Kernel::code_of(const Function* function) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<Code>& code = codes_[function];
  if (!code) {
    auto& layout = layouts_[function];
    layout = std::make_unique<LocalLayout>(*function);
    code = decode(program_.module(), *function, *layout, *this);
  }
  return code.get();
}

const Function* Kernel::function_at(uint64_t address) { return program_.function_at(address); }

const Function* Kernel::function(std::string_view name) { return program_.module().function(name); }

Symbols::Address Kernel::address(const Function& function, int scope, std::string_view name) {
  Address at;
  if (const Variable* v = function.variable(scope, name)) {
    at.found = true;
    at.variable = v;
    at.space = v->space;
    const auto shared = shared_.find(v);
    if (shared != shared_.end()) {
      at.value = shared->second;
    } else if (v->space == Space::kParam && function.is_entry && !layouts_.at(&function)->offsets.count(v)) {
      at.value = kParamWindow + v->offset;
    } else {
      at.local = true;
      at.value = layouts_.at(&function)->offsets.at(v);
    }
    return at;
  }
  for (const Variable& v : program_.module().variables) {
    if (v.name != name) continue;
    at.variable = &v;
    at.space = v.space;
    if (v.space == Space::kShared) {
      at.found = true;
      at.value = v.is_extern ? dynamic_offset() : shared_.at(&v);
    } else if (!v.is_extern) {
      at.found = true;
      at.value = program_.variable(name);
    }
    if (at.found) return at;
  }
  if (const Function* f = program_.module().function(name)) {
    at.found = true;
    at.value = program_.address_of_function(f);
  }
  return at;
}

}  // namespace gpusim

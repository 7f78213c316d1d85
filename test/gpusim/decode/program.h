// A loaded PTX module: its variables in device memory, and an image of each kernel with the functions that it calls.
#pragma once
#include <memory>
#include <mutex>
#include <set>

#include "../exec/launch.h"
#include "decoder.h"

namespace gpusim {

class Program;

// Shared memory is laid out for each kernel, so its functions are decoded for each kernel.
class Kernel : public Resolver, public Symbols {
 public:
  Kernel(Program& program, const Function& entry);
  const Code* code() { return code_of(&entry_); }
  const Function& entry() const { return entry_; }
  size_t static_shared() const { return static_shared_; }
  size_t dynamic_offset() const;  // where dynamic shared memory starts

  const Code* code_of(const Function* function) override;
  const Function* function_at(uint64_t address) override;
  Address address(const Function& function, int scope, std::string_view name) override;
  const Function* function(std::string_view name) override;

 private:
  void collect(const Function& function, std::set<const Function*>& seen);
  void place(const Variable& v);

  Program& program_;
  const Function& entry_;
  std::map<const Variable*, size_t> shared_;
  size_t static_shared_ = 0;
  std::mutex mutex_;
  std::map<const Function*, std::unique_ptr<LocalLayout>> layouts_;
  std::map<const Function*, std::unique_ptr<Code>> codes_;
};

class Program {
 public:
  explicit Program(std::unique_ptr<Module> module);  // allocates and initialises the variables; throws Fault
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  const Module& module() const { return *module_; }
  Kernel* kernel(std::string_view name);  // null if there is none
  // Address and size of a module variable; 0 if there is none.
  uint64_t variable(std::string_view name, size_t* bytes = nullptr) const;
  uint64_t address_of_function(const Function* function) const;
  const Function* function_at(uint64_t address) const;

 private:
  std::unique_ptr<Module> module_;
  std::map<std::string_view, std::pair<uint64_t, size_t>> variables_;
  std::map<std::string, std::unique_ptr<Kernel>, std::less<>> kernels_;
};

}  // namespace gpusim

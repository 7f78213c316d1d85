#include "module.h"

namespace gpusim {

int Function::label(int scope, std::string_view name) const {
  for (; scope >= 0; scope = scope_parent[static_cast<size_t>(scope)]) {
    const auto found = labels.find({scope, name});
    if (found != labels.end()) return found->second;
  }
  return -1;
}

const std::vector<std::string_view>* Function::targets(int scope, std::string_view name) const {
  for (; scope >= 0; scope = scope_parent[static_cast<size_t>(scope)]) {
    const auto found = branch_targets.find({scope, name});
    if (found != branch_targets.end()) return &found->second;
  }
  return nullptr;
}

const Variable* Function::variable(int scope, std::string_view name) const {
  for (; scope >= 0; scope = scope_parent[static_cast<size_t>(scope)])
    for (const Variable& v : variables)
      if (v.scope == scope && v.name == name) return &v;
  for (const auto* list : {&parameters, &results})
    for (const Variable& v : *list)
      if (v.name == name) return &v;
  return nullptr;
}

const Function* Module::function(std::string_view name) const {
  const Function* found = nullptr;
  for (const auto& f : functions)
    if (f->name == name && (!found || f->has_body)) found = f.get();
  return found;
}

}  // namespace gpusim

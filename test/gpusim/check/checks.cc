#include "checks.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gpusim {

const char* check_name(Check check) {
  static const char* const names[] = {"bounds", "misaligned",  "uninit", "race",   "barrier", "metadata",
                                      "async",  "instruction", "trap",   "assert", "timeout", "heap"};
  return names[static_cast<int>(check)];
}

Checks Checks::from_environment() {
  Checks checks;
  const char* list = std::getenv("GPUSIM_CHECK");
  if (!list || std::strcmp(list, "all") == 0) return checks;
  checks = {false, false, false, false, false};
  const std::pair<const char*, bool*> names[] = {{"uninit", &checks.uninit},
                                                 {"race", &checks.race},
                                                 {"barrier", &checks.barrier},
                                                 {"metadata", &checks.metadata},
                                                 {"async", &checks.async}};
  std::string word;
  for (const char* c = list;; ++c) {
    if (*c && *c != ',') {
      word += *c;
      continue;
    }
    bool known = word.empty() || word == "none" || word == "bounds" || word == "misaligned";
    for (const auto& [name, flag] : names)
      if (word == name) *flag = known = true;
    if (!known) {
      std::fprintf(stderr,
                   "gpusim: GPUSIM_CHECK: expected all, none or a list of uninit, race, barrier, metadata, async but received '%s'\n",
                   word.c_str());
      std::exit(1);
    }
    word.clear();
    if (!*c) return checks;
  }
}

}  // namespace gpusim

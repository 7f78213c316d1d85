// The harness: one line per check, `ok <name>` or `FAIL <name>`, and the case at hand when a sanitizer or a signal ends the process.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

namespace sk_test {

inline int failures = 0;
inline char current_case[256] = "(none)";

inline bool check(bool ok, const std::string& name) {
  std::printf("%s %s\n", ok ? "ok" : "FAIL", name.c_str());
  failures += !ok;
  return ok;
}

// Names the case at hand. Costs little: call it before anything that may crash.
__attribute__((format(printf, 1, 2))) inline void at(const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::vsnprintf(current_case, sizeof(current_case), format, args);
  va_end(args);
}

// One per file.
void core_suite();
void isa_suite();
void pool_suite();
void runners_suite();
void pack_suite();
void words_suite();
void edges_suite();
void plan_suite();
void fuzz_suite();
void select_suite();
void conv_suite();
void khot_suite();
void planes_suite();
void norm_suite();
void attend_suite();

}  // namespace sk_test

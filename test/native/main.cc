// Usage: native_tests [suite ...]; all suites where none is named. Exit status 1: a check failed.
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <cstring>

#include "harness.h"

// A request for more memory than there is returns null, as it does without the sanitizer.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }

int main(int argc, char** argv) {
  using namespace sk_test;
  const struct {
    const char* name;
    void (*run)();
  } suites[] = {{"core", core_suite},     {"isa", isa_suite},       {"pool", pool_suite},     {"runners", runners_suite},
                {"pack", pack_suite},     {"words", words_suite},   {"edges", edges_suite},   {"plan", plan_suite},
                {"fuzz", fuzz_suite},     {"select", select_suite}, {"attend", attend_suite}, {"conv", conv_suite},
                {"planes", planes_suite}, {"khot", khot_suite},     {"norm", norm_suite}};
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  __sanitizer_set_death_callback([] { std::fprintf(stderr, "case at hand: %s\n", current_case); });
  alarm(240);  // a deadlock must not outlive the test runner
  int found = 0;
  for (const auto& suite : suites) {
    bool named = argc < 2;
    for (int i = 1; i < argc; ++i) named |= std::strcmp(argv[i], suite.name) == 0;
    if (!named) continue;
    at("suite %s", suite.name);
    suite.run();
    ++found;
  }
  check(found >= (argc < 2 ? 1 : argc - 1), "every suite named on the command line exists");
  return failures > 0;
}

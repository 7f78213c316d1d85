// libFuzzer target: arbitrary bytes as PTX. What parses is decoded, and its kernels run for a moment: all that may come of it is an error.
// mutate.cc runs it on changed copies of a seed with every compiler.
#include <string>

#include "../decode/program.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpusim;
  try {
    auto module = parse_ptx(std::string(reinterpret_cast<const char*>(data), size));
    for (const Variable& v : module->variables)
      if (v.bytes > 1 << 20) return 0;  // memory for them is no matter of the parser
    Program program(std::move(module));
    for (const auto& function : program.module().functions) {
      if (!function->is_entry || !function->has_body) continue;
      Kernel* kernel = program.kernel(function->name);
      if (!kernel || kernel->static_shared() > 1 << 20 || function->parameter_bytes > 4096) continue;
      Launch launch;
      launch.code = kernel->code();
      launch.resolver = kernel;
      launch.kernel = std::string(function->name);
      launch.block[0] = 48;
      launch.parameters.resize(function->parameter_bytes);
      launch.static_shared = kernel->dynamic_offset();
      launch.dynamic_shared = 64;
      launch.count_memory = true;
      launch.limit = 3000;
      run_launch(launch, 1);
    }
  } catch (const PtxError&) {
  } catch (const Fault&) {
  }
  return 0;
}

#include "ptxas.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace gpusim {

std::map<std::string, Resources> resources_from_ptxas(const std::string& ptx, int capability) {
  std::map<std::string, Resources> result;
  char file[] = "/tmp/gpusim-XXXXXX";
  const int descriptor = mkstemp(file);
  if (descriptor < 0) return result;
  FILE* out = fdopen(descriptor, "w");
  std::fwrite(ptx.data(), 1, ptx.size(), out);
  std::fclose(out);
  const std::string command =
      std::string("'") + std::getenv("GPUSIM_PTXAS") + "' -v -arch=sm_" + std::to_string(capability) + " -o /dev/null " + file + " 2>&1";
  if (FILE* in = popen(command.c_str(), "r")) {
    char line[4096], name[4096] = "";
    int registers, stores, loads;
    while (std::fgets(line, sizeof line, in)) {
      const std::string text = line;
      const size_t entry = text.find("entry function '"), used = text.find("Used "), stack = text.find(" bytes stack frame, ");
      if (entry != std::string::npos) std::sscanf(text.c_str() + entry, "entry function '%4095[^']'", name);
      if (used != std::string::npos && std::sscanf(text.c_str() + used, "Used %d registers", &registers) == 1)
        result[name].registers = registers;
      if (stack != std::string::npos &&
          std::sscanf(text.c_str() + stack, " bytes stack frame, %d bytes spill stores, %d bytes", &stores, &loads) == 2)
        result[name].spilled_bytes = stores + loads;
    }
    pclose(in);
  }
  unlink(file);
  if (result.empty()) {
    std::fprintf(stderr, "gpusim: GPUSIM_PTXAS: '%s' gave no register counts; they are estimated\n", command.c_str());
    result[""] = {};  // asked once
  }
  return result;
}

}  // namespace gpusim

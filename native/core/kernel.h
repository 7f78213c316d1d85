// What every verb does with its kernels.def: list the rows for JavaScript, and choose one for a plan.
#pragma once

#include <cstddef>
#include <string>

#include "cpu.h"
#include "status.h"

namespace sk {

// One kernel as kernels() shows it.
struct KernelRow {
  const char* name;  // spmm_f32_2x4_avx2
  const char* verb;
  const char* dtype;
  std::string pattern;
  const char* isa;
  int lanes;  // of its vectors
  bool supported;
};

// The first row, best first, that the machine supports and that fits(row). A forced isa (empty: none) means its rows and those of the ISA
// that it extends; one that is unknown, not supported or without a fitting row is an error, never a fallback. Row: struct with a member
// `Isa isa`.
template <class Row, size_t kRows, class Fits>
Status choose_kernel(const Row (&rows)[kRows], const std::string& forced, Fits fits, const Row** chosen,
                     bool (*supported)(Isa) = isa_supported) {
  const Isa* isa = nullptr;
  for (const Isa& each : kIsas)
    if (forced == isa_name(each)) isa = &each;
  if (!forced.empty() && !isa) return Status(Code::kIsa, "expected isa to be one that cpu().isa lists but received '" + forced + "'");
  for (const Row& row : rows) {
    if (isa && (!supported(*isa) || (row.isa != *isa && row.isa != isa_base(*isa)))) continue;
    if (!supported(row.isa) || !fits(row)) continue;
    *chosen = &row;
    return Status();
  }
  return Status(Code::kIsa, "expected an isa that this machine and the operation support but received '" + forced + "'");
}

}  // namespace sk

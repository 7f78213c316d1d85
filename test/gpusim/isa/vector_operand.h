// Operands in braces, {r0, r1, ...}, of a length that the instruction knows.
#pragma once
#include "build.h"

namespace gpusim {

inline void vector_operand(Build& b, size_t i, int count, Type type, bool written) {
  const Operand& o = b.operand(i);
  const std::vector<Operand> items = o.kind == Operand::Kind::kVector ? o.items : std::vector<Operand>{o};
  if (static_cast<int>(items.size()) != count)
    b.fail("operand " + std::to_string(i + 1) + " has " + std::to_string(items.size()) + " registers where " + std::to_string(count) +
           " are expected");
  for (const Operand& item : items) {
    if (written)
      b.dst(item);
    else
      b.src(item, bits_of(type) == 64 ? Type::kF64 : Type::kB32);
  }
}

}  // namespace gpusim

// The types and state spaces that PTX instructions and variables name.
#pragma once
#include <cstdint>
#include <string_view>

namespace gpusim {

enum class Type : uint8_t {
  kNone,
  kPred,
  kB1,
  kS4,
  kU4,
  kB8,
  kU8,
  kS8,
  kE4m3,
  kE5m2,
  kB16,
  kU16,
  kS16,
  kF16,
  kBf16,
  kE4m3x2,
  kE5m2x2,
  kB32,
  kU32,
  kS32,
  kF32,
  kTf32,
  kF16x2,
  kBf16x2,
  kU16x2,
  kS16x2,
  kB64,
  kU64,
  kS64,
  kF64,
  kB128,
};

enum class Space : uint8_t { kGeneric, kGlobal, kShared, kLocal, kConst, kParam };

// kNone for a word that is no type ('sync', 'rn').
Type type_named(std::string_view word);
const char* type_name(Type type);
int bits_of(Type type);
inline int bytes_of(Type type) { return (bits_of(type) + 7) / 8; }
bool is_signed(Type type);
bool is_float(Type type);

}  // namespace gpusim

#include "types.h"

namespace gpusim {
namespace {

struct Row {
  const char* name;
  Type type;
  int bits;
};

constexpr Row kTypes[] = {
    {"none", Type::kNone, 0},      {"pred", Type::kPred, 1},    {"b1", Type::kB1, 1},        {"s4", Type::kS4, 4},
    {"u4", Type::kU4, 4},          {"b8", Type::kB8, 8},        {"u8", Type::kU8, 8},        {"s8", Type::kS8, 8},
    {"e4m3", Type::kE4m3, 8},      {"e5m2", Type::kE5m2, 8},    {"b16", Type::kB16, 16},     {"u16", Type::kU16, 16},
    {"s16", Type::kS16, 16},       {"f16", Type::kF16, 16},     {"bf16", Type::kBf16, 16},   {"e4m3x2", Type::kE4m3x2, 16},
    {"e5m2x2", Type::kE5m2x2, 16}, {"b32", Type::kB32, 32},     {"u32", Type::kU32, 32},     {"s32", Type::kS32, 32},
    {"f32", Type::kF32, 32},       {"tf32", Type::kTf32, 32},   {"f16x2", Type::kF16x2, 32}, {"bf16x2", Type::kBf16x2, 32},
    {"u16x2", Type::kU16x2, 32},   {"s16x2", Type::kS16x2, 32}, {"b64", Type::kB64, 64},     {"u64", Type::kU64, 64},
    {"s64", Type::kS64, 64},       {"f64", Type::kF64, 64},     {"b128", Type::kB128, 128},
};

const Row& row(Type type) { return kTypes[static_cast<int>(type)]; }

}  // namespace

Type type_named(std::string_view word) {
  if (word.size() < 2 || word.size() > 6) return Type::kNone;
  for (const Row& row : kTypes)
    if (word == row.name && row.type != Type::kNone) return row.type;
  return Type::kNone;
}

const char* type_name(Type type) { return row(type).name; }
int bits_of(Type type) { return row(type).bits; }

bool is_signed(Type type) {
  switch (type) {
    case Type::kS4:
    case Type::kS8:
    case Type::kS16:
    case Type::kS32:
    case Type::kS64:
    case Type::kS16x2: return true;
    default: return false;
  }
}

bool is_float(Type type) {
  switch (type) {
    case Type::kF16:
    case Type::kBf16:
    case Type::kF32:
    case Type::kTf32:
    case Type::kF64:
    case Type::kF16x2:
    case Type::kBf16x2:
    case Type::kE4m3:
    case Type::kE5m2: return true;
    default: return false;
  }
}

}  // namespace gpusim

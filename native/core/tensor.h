// TensorView: what the boundary hands to a verb. It owns nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sk {

// Element types, in the order in which types/native.d.ts numbers them. int4 is what plans store, two to a byte: no array has it, and no
// size.
enum class DType : int { kFloat32 = 0, kFloat16 = 1, kBFloat16 = 2, kInt8 = 3, kInt4 = 4 };

constexpr size_t size_of(DType type) { return type == DType::kFloat32 ? 4 : type == DType::kInt8 ? 1 : 2; }

// A dense row-major matrix [rows, columns], aligned to its element only.
struct MatrixView {
  const void* data;
  DType type;
  int64_t rows;
  int64_t columns;
};

}  // namespace sk

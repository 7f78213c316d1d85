// TensorView: what the boundary hands to a verb. It owns nothing.
#pragma once

#include <cstdint>

namespace sk {

// A dense row-major float32 matrix [rows, columns], aligned to its element only.
struct MatrixView {
  const float* data;
  int64_t rows;
  int64_t columns;
};

}  // namespace sk

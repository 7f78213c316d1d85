#include "weight.h"

#include <cfloat>
#include <cmath>
#include <cstring>

#include "../simd/half.h"

namespace sk {
namespace {

template <class T>
const float* widen_row(const void* data, int64_t first, int64_t count, float* to) {
  const T* from = static_cast<const T*>(data) + first;
  for (int64_t i = 0; i < count; ++i) to[i] = widen(from[i]);
  return to;
}

template <class T>
bool narrow_to(void* data, int64_t at, float x) {
  T* to = static_cast<T*>(data) + at;
  narrow(x, to);
  return std::isfinite(widen(*to)) || !std::isfinite(x);
}

}  // namespace

const float* WeightRows::read(int64_t row, float* room) const {
  if (source(row) >= weight.rows) return nullptr;
  const void* data = of_gate(row) ? gate : weight.data;
  const int64_t first = source(row) * weight.columns;
  switch (weight.type) {
    case DType::kFloat32: return static_cast<const float*>(data) + first;
    case DType::kFloat16: return widen_row<Half>(data, first, weight.columns, room);
    case DType::kBFloat16: return widen_row<BHalf>(data, first, weight.columns, room);
    case DType::kInt8: return widen_row<int8_t>(data, first, weight.columns, room);
    case DType::kInt4: break;  // not of weights
  }
  return nullptr;
}

void WeightRows::pack_vector(const float* vector, const float* gate_vector, float* packed) const {
  for (int64_t row = 0; row < count(); ++row) {
    const float* from = of_gate(row) ? gate_vector : vector;
    packed[row] = from && source(row) < weight.rows ? from[source(row)] : 0;
  }
}

bool PackedValues::write(int64_t at, float x, float inverse_scale) const {
  switch (type) {
    case DType::kFloat32: static_cast<float*>(data)[at] = x; return true;
    case DType::kFloat16: return narrow_to<Half>(data, at, x);
    case DType::kBFloat16: return narrow_to<BHalf>(data, at, x);
    case DType::kInt8: {
      const float q = std::nearbyint(x * inverse_scale);
      static_cast<int8_t*>(data)[at] = static_cast<int8_t>(std::clamp(q, -127.0f, 127.0f));
      return std::fabs(q) <= 127;
    }
    case DType::kInt4: break;  // int4.h
  }
  return false;
}

float PackedValues::read(int64_t at, int64_t row) const {
  switch (type) {
    case DType::kFloat32: return static_cast<const float*>(data)[at];
    case DType::kFloat16: return widen(static_cast<const Half*>(data)[at]);
    case DType::kBFloat16: return widen(static_cast<const BHalf*>(data)[at]);
    case DType::kInt8: return static_cast<const int8_t*>(data)[at] * scale[row];
    case DType::kInt4: break;
  }
  return 0;
}

Status choose_scales(const WeightRows& rows, float* scale) {
  return for_each_block(rows.count(), 64, [&](int64_t first, int64_t end) {
    return for_each_row(rows, first, end, [&](int64_t row, const float* dense) {
      float largest = 0;
      for (int64_t i = 0; dense && i < rows.weight.columns; ++i) {
        if (!std::isfinite(dense[i]))
          return Status(Code::kValue, "expected finite weights where they are quantised but " + rows.name(row) + ", input " +
                                          std::to_string(i) + " is NaN or infinite");
        largest = std::max(largest, std::fabs(dense[i]));
      }
      scale[row] = largest > 0 ? std::max(largest / 127, FLT_MIN) : 1;  // whose inverse is finite
      return Status();
    });
  });
}

Status too_large(const WeightRows& rows, int64_t row, int64_t column, DType type) {
  return Status(Code::kValue, std::string("expected weights within the range of ") +
                                  (type == DType::kInt8 ? "int8 (-127 .. 127)" : "the 16-bit type") + " but " + rows.name(row) +
                                  ", input " + std::to_string(column) + " is larger");
}

}  // namespace sk

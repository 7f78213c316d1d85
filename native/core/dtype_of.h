// The element type that a C++ type stands for in memory. A verb with an element type of its own adds it beside its kernels.
#pragma once

#include "../simd/half.h"
#include "tensor.h"

namespace sk {

template <class T>
struct NoDType;

template <class T>
constexpr DType dtype_of = NoDType<T>::value;
template <>
constexpr DType dtype_of<float> = DType::kFloat32;
template <>
constexpr DType dtype_of<Half> = DType::kFloat16;
template <>
constexpr DType dtype_of<BHalf> = DType::kBFloat16;
template <>
constexpr DType dtype_of<int8_t> = DType::kInt8;

}  // namespace sk

// Eight neighbouring numbers of a row: what one thread loads or stores at a time, 16 bytes or more where rows are aligned.
#pragma once

#include <cstdint>

#include "elements.h"

namespace sk {

// Eight floats as the 16 or 32 bytes of eight elements. Plain assignments of vectors are taken apart by the compiler at times.
__device__ inline void store_whole(float* to, const float (&x)[8]) {
  __stwb(reinterpret_cast<float4*>(to), make_float4(x[0], x[1], x[2], x[3]));
  __stwb(reinterpret_cast<float4*>(to) + 1, make_float4(x[4], x[5], x[6], x[7]));
}
template <class T>
__device__ inline void store_whole(T* to, const float (&x)[8]) {
  uint32_t pairs[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) pairs[i] = narrow_to<T>(x[2 * i]).bits | static_cast<uint32_t>(narrow_to<T>(x[2 * i + 1]).bits) << 16;
  __stwb(reinterpret_cast<uint4*>(to), make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]));
}

// row[first .. first + 8) of `length` elements = eight; what lies past the row is dropped.
template <class T>
__device__ inline void store_eight(T* row, int64_t first, int64_t length, const float (&eight)[8]) {
  T* to = row + first;
  if (first + 8 <= length && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
    store_whole(to, eight);
  } else {
    for (int i = 0; i < 8 && first + i < length; ++i) to[i] = narrow_to<T>(eight[i]);
  }
}

// Eight elements as floats: what store_whole() does, backwards.
__device__ inline void load_whole(const float* from, float (&x)[8]) {
  const float4 low = *reinterpret_cast<const float4*>(from), high = *(reinterpret_cast<const float4*>(from) + 1);
  const float both[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
  for (int i = 0; i < 8; ++i) x[i] = both[i];
}
template <class T>
__device__ inline void load_whole(const T* from, float (&x)[8]) {
  const uint4 packed = *reinterpret_cast<const uint4*>(from);
  const uint32_t pairs[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
  for (int i = 0; i < 8; ++i) x[i] = widen_from(T{static_cast<uint16_t>(pairs[i / 2] >> i % 2 * 16)});
}

// eight += row[first .. first + 8) of `length` elements.
template <class T>
__device__ inline void add_eight(const T* row, int64_t first, int64_t length, float (&eight)[8]) {
  const T* from = row + first;
  if (first + 8 <= length && reinterpret_cast<uintptr_t>(from) % 16 == 0) {
    float x[8];
    load_whole(from, x);
#pragma unroll
    for (int i = 0; i < 8; ++i) eight[i] += x[i];
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i) eight[i] += first + i < length ? widen_from(from[i]) : 0.0f;
  }
}

// Eight sums of shared memory, lane after lane. The lanes of a quarter of a warp would meet in the same banks: half of them read their
// second four first.
__device__ inline void read_eight(const float* sums, float (&eight)[8], int second_first = threadIdx.x / 4 % 2) {
  const float4* fours = reinterpret_cast<const float4*>(sums);
  const float4 one = fours[second_first], other = fours[1 - second_first];
  const float4 low = second_first ? other : one, high = second_first ? one : other;
  const float both[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
  for (int i = 0; i < 8; ++i) eight[i] = both[i];
}

// Eight elements of a row of y, of type float32, float16 or bfloat16.
__device__ inline void store_eight_as(DType type, void* y, int64_t row, int64_t first, int64_t length, const float (&eight)[8]) {
  switch (type) {
    case DType::kFloat32: return store_eight(static_cast<float*>(y) + row * length, first, length, eight);
    case DType::kFloat16: return store_eight(static_cast<Half*>(y) + row * length, first, length, eight);
    default: return store_eight(static_cast<BHalf*>(y) + row * length, first, length, eight);
  }
}

// eight += eight elements of a row of x, of one of these types.
__device__ inline void add_eight_as(DType type, const void* x, int64_t row, int64_t first, int64_t length, float (&eight)[8]) {
  switch (type) {
    case DType::kFloat32: return add_eight(static_cast<const float*>(x) + row * length, first, length, eight);
    case DType::kFloat16: return add_eight(static_cast<const Half*>(x) + row * length, first, length, eight);
    default: return add_eight(static_cast<const BHalf*>(x) + row * length, first, length, eight);
  }
}

}  // namespace sk

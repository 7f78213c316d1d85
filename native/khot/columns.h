// The loop nest: outputs in lanes; four inputs at a time add their weights to the sums of a tile, while those of the next four are fetched,
// which no hardware foresees.
//
//   start   the sums: the bias
//   fma     sum += value * w, input after input
//   store   activation, residual, the element type of y
//
// Floor: the bytes of the columns that the list names. From a cache: per vector of outputs one load of weights and one FMA for each input,
// and a load and a store of the sums for four of them.
#pragma once

#include "../simd/activate.h"
#include "../simd/element.h"
#include "kernel.h"

namespace sk {
namespace {

template <class V, class T, int kInputs>
static inline void add_inputs(const KHotTile& t, const int32_t* inputs, const float* values, const int32_t* next) {
  constexpr int kLine = 64 / sizeof(T);
  const T* const weight = static_cast<const T*>(t.weight) + t.first;
  const T *w[kInputs], *ahead[kInputs];
  typename V::F32 x[kInputs];
#pragma GCC unroll 4
  for (int j = 0; j < kInputs; ++j) {
    w[j] = weight + inputs[j] * t.stride;
    ahead[j] = weight + next[j] * t.stride;
    x[j] = V::set1(values[j]);
  }
  for (int64_t line = 0; line < t.width; line += kLine) {
#pragma GCC unroll 4
    for (int j = 0; j < kInputs; ++j) V::prefetch(ahead[j] + line);
#pragma GCC unroll 8
    for (int v = 0; v < kLine / V::kLanes; ++v) {
      const int64_t o = line + v * V::kLanes;
      typename V::F32 sum = V::load(t.sums + o);
#pragma GCC unroll 4
      for (int j = 0; j < kInputs; ++j) sum = V::fma(x[j], V::load(w[j] + o), sum);
      V::store(t.sums + o, sum);
    }
  }
}

template <class V, class T>
static void khot_columns(const KHotTile& tile) {
  const KHotTile t = tile;  // a local copy stays in registers
  for (int64_t o = 0; o < t.width; o += V::kLanes) V::store(t.sums + o, V::load(t.bias + t.first + o));
  int64_t j = 0;
  for (; j + 4 <= t.count; j += 4) add_inputs<V, T, 4>(t, t.inputs + j, t.values + j, t.inputs + (j + 8 <= t.count ? j + 4 : j));
  for (; j < t.count; ++j) add_inputs<V, T, 1>(t, t.inputs + j, t.values + j, t.inputs + j);
}

template <class V, class Y>
static void khot_finish(const KHotOutputs& o) {
  constexpr int kLanes = V::kLanes;
  activate<V>(o.sums, (o.count + kLanes - 1) / kLanes, o.activation);
  const Y* residual = static_cast<const Y*>(o.residual);
  Y* y = static_cast<Y*>(o.y);
  int64_t i = 0;
  for (; i + kLanes <= o.count; i += kLanes) {
    const auto sum = V::load(o.sums + i);
    store_any<V>(y + i, residual ? sum + load_any<V>(residual + i) : sum);
  }
  if (i == o.count) return;
  const auto sum = V::load(o.sums + i);
  store_some<V>(y + i, residual ? sum + load_some<V>(residual + i, o.count - i) : sum, o.count - i);
}

template <class V, class T>
constexpr KHotKernel khot_kernel(const char* name) {
  return {name, V::kLanes, &khot_columns<V, T>, {&khot_finish<V, float>, &khot_finish<V, Half>, &khot_finish<V, BHalf>}};
}

}  // namespace
}  // namespace sk

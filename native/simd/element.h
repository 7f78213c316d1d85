// Elements of x, y and the residual: float32, float16 or bfloat16 in memory, float32 in registers.
#pragma once

#include <cstdint>

#include "half.h"

namespace sk {
namespace {

template <class V>
inline typename V::F32 load_any(const float* p) {
  return V::loadu(p);
}
template <class V>
inline typename V::F32 load_any(const Half* p) {
  return V::load(p);
}
template <class V>
inline typename V::F32 load_any(const BHalf* p) {
  return V::load(p);
}

template <class V>
inline void store_any(float* p, typename V::F32 a) {
  V::storeu(p, a);
}
template <class V>
inline void store_any(Half* p, typename V::F32 a) {
  V::store(p, a);
}
template <class V>
inline void store_any(BHalf* p, typename V::F32 a) {
  V::store(p, a);
}

// The first `count` of L elements, then zeros.
template <class V, class X>
inline typename V::F32 load_some(const X* p, int64_t count) {
  X edge[V::kLanes] = {};
  for (int64_t i = 0; i < count && i < V::kLanes; ++i) edge[i] = p[i];
  return load_any<V>(edge);
}

// The first `count` of L elements.
template <class V, class Y>
inline void store_some(Y* p, typename V::F32 a, int64_t count) {
  Y edge[V::kLanes];
  store_any<V>(edge, a);
  for (int64_t i = 0; i < count && i < V::kLanes; ++i) p[i] = edge[i];
}

}  // namespace
}  // namespace sk

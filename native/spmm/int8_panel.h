// Before the loop nests of int8 activations: x, in any of its element types, becomes integers in -127 .. 127, x[t, i] = scale[t] * q[t, i],
// scale[t] = max |x[t, .]| / 127. A token with NaN or infinity gets the scale NaN, so that its outputs are NaN; its integers are harmless.
#pragma once

#include "panel.h"

namespace sk {
namespace {

template <class V, class X>
static void measure_tokens(const void* x_data, int64_t tokens, int64_t in, float* scales) {
  using F32 = typename V::F32;
  constexpr int kLanes = V::kLanes;
  const auto magnitude = V::set1_u32(0x7FFFFFFF);
  const X* x = static_cast<const X*>(x_data);
  for (int64_t t = 0; t < tokens; ++t, x += in) {
    F32 largest = V::zero(), not_finite = V::zero();  // 0 * x is NaN where x is NaN or infinite
    for (int64_t k = 0; k < in; k += kLanes) {
      const F32 a = k + kLanes <= in ? load_any<V>(x + k) : load_some<V>(x + k, in - k);
      largest = V::max(V::float_of(V::and_u32(V::bits_of(a), magnitude)), largest);
      not_finite = V::fma(a, V::zero(), not_finite);
    }
    alignas(64) float most[kLanes], fault[kLanes];
    V::store(most, largest);
    V::store(fault, not_finite);
    float scale = 0, faults = 0;
    for (int l = 0; l < kLanes; ++l) {
      scale = most[l] > scale ? most[l] : scale;
      faults += fault[l];
    }
    scales[t] = faults == 0 ? scale / 127 : __builtin_nanf("");
  }
}

// Lies in -127 .. 127 whatever a is: max() gives its second operand where the first is NaN. A scale of 0 leads here too.
template <class V>
inline typename V::F32 to_steps(typename V::F32 a, typename V::F32 inverse) {
  const auto below = V::max(V::zero() - V::max(a * inverse, V::set1(-127)), V::set1(-127));
  return V::zero() - below;
}

// x [tokens, in] -> panel [in_padded][W] of int16, k range [k0, k1) of multiples of L; missing tokens and inputs become 0.
template <class V, class X>
static void quantise_panel(const void* x_data, const float* scales, int64_t tokens, int64_t in, int64_t k0, int64_t k1, int vectors,
                           int16_t* panel) {
  constexpr int kLanes = V::kLanes;
  const int64_t width = static_cast<int64_t>(vectors) * kLanes;
  for (int64_t go = k0; go < k1; go += kGo) {
    const int64_t end = go + kGo < k1 ? go + kGo : k1;
    for (int64_t first = 0; first < width; first += 2 * kLanes) {
      const X* x = static_cast<const X*>(x_data) + first * in;
      const int64_t rows = tokens - first;
      alignas(64) float inverse[2 * kLanes];
      for (int i = 0; i < 2 * kLanes; ++i) inverse[i] = i < rows ? 1 / scales[first + i] : 0;
      for (int64_t k = go; k < end; k += kLanes) {
        typename V::F32 low[kLanes], high[kLanes];
        load_turned<V>(x + k, in, rows, in - k, low);
        load_turned<V>(x + k + kLanes * in, in, rows - kLanes, in - k, high);
        const auto inverse_low = V::load(inverse), inverse_high = V::load(inverse + kLanes);
        for (int i = 0; i < kLanes; ++i)
          V::store_shorts(panel + (k + i) * width + first, to_steps<V>(low[i], inverse_low), to_steps<V>(high[i], inverse_high));
      }
    }
  }
}

// x [tokens, in] -> rows of int8 [tokens][in_padded + kInt8RowPad].
template <class V, class X>
static void quantise_rows(const void* x_data, const float* scales, int64_t tokens, int64_t in, int64_t in_padded, int8_t* rows) {
  const X* x = static_cast<const X*>(x_data);
  for (int64_t t = 0; t < tokens; ++t, x += in, rows += in_padded + kInt8RowPad) {
    const auto inverse = V::set1(1 / scales[t]);
    for (int64_t k = 0; k < in_padded; k += V::kLanes)
      V::store_bytes(rows + k, to_steps<V>(k + V::kLanes <= in ? load_any<V>(x + k) : load_some<V>(x + k, in - k), inverse));
    for (int i = 0; i < kInt8RowPad; ++i) rows[in_padded + i] = 0;
  }
}

// x [tokens, in] -> units [tokens][in_padded / 16]: of each `group` inputs by themselves, as above.
template <class V, class X>
static void quantise_units(const void* x_data, int64_t tokens, int64_t in, int64_t in_padded, int64_t group, bool add_128,
                           Int8Unit* units) {
  const X* x = static_cast<const X*>(x_data);
  const uint32_t flip = add_128 ? 0x80 : 0;
  for (int64_t t = 0; t < tokens; ++t, x += in) {
    float scale = 0;
    for (int64_t k = 0; k < in_padded; k += 16, ++units) {
      if (k % group == 0) scale = 0;
      if (k % group == 0 && k < in) measure_tokens<V, X>(x + k, 1, in - k < group ? in - k : group, &scale);
      const auto inverse = V::set1(1 / scale);
      alignas(16) int8_t q[16];
      for (int64_t i = k; i < k + 16; i += V::kLanes)
        V::store_bytes(q + (i - k), to_steps<V>(i + V::kLanes <= in ? load_any<V>(x + i) : load_some<V>(x + i, in - i), inverse));
      for (int i = 0; i < 16; ++i) units->q[i] = static_cast<int8_t>(q[i] ^ flip);
      for (float& to : units->scale) to = scale;
    }
  }
}

}  // namespace
}  // namespace sk

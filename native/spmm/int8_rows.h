// What the int8 file of an ISA instantiates: how x is quantised, and a row of kernels.def.
#pragma once

#include "int8_few_tokens.h"
#include "int8_many_tokens.h"
#include "int8_pairs.h"
#include "int8_panel.h"
#include "w4a8_groups.h"
#include "w4a8_tokens.h"

namespace sk {
namespace {

template <class V>
constexpr SpmmQuantise kQuantise = {2,
                                    {&measure_tokens<V, float>, &measure_tokens<V, Half>, &measure_tokens<V, BHalf>},
                                    {&quantise_panel<V, float>, &quantise_panel<V, Half>, &quantise_panel<V, BHalf>},
                                    {&quantise_rows<V, float>, &quantise_rows<V, Half>, &quantise_rows<V, BHalf>},
                                    {},
                                    false};

template <class V>
constexpr SpmmQuantise kQuantisePairs = {kPairsOfFour,
                                         {&measure_tokens<V, float>, &measure_tokens<V, Half>, &measure_tokens<V, BHalf>},
                                         {&quantise_pairs<V, float>, &quantise_pairs<V, Half>, &quantise_pairs<V, BHalf>},
                                         {&quantise_rows<V, float>, &quantise_rows<V, Half>, &quantise_rows<V, BHalf>},
                                         {},
                                         false};

// Of int4 weights.
template <class V, bool kAdd128>
constexpr SpmmQuantise kQuantiseUnits = {
    0, {}, {}, {}, {&quantise_units<V, float>, &quantise_units<V, Half>, &quantise_units<V, BHalf>}, kAdd128};

template <class T>
constexpr bool is_int4 = false;
template <>
constexpr bool is_int4<Int4> = true;

template <class V, class T, int kN, int kM, int kWidest>
constexpr SpmmKernel int8_kernel(const char* name) {
  if constexpr (is_int4<T> && kM == 0)
    return {name, 0, 0, 0, V::kLanes, 1, 4, nullptr, nullptr, &w4a8_groups<V>, &kQuantiseUnits<V, false>};
  else if constexpr (is_int4<T>)
    return {name, kN, kM, 0, V::kLanes, 1, 4, nullptr, nullptr, &w4a8_tokens<V>, &kQuantiseUnits<V, true>};
  else if constexpr (kM == 4 && kN == 2)
    return {name, 2, 4, 0, V::kLanes, kMostPairVectors<V>, 4, nullptr, &int8_pairs<V>, &int8_few_tokens<V, 4, 2>, &kQuantisePairs<V>};
  else {
    constexpr int kVectors = widest_panel(kN, kM, kWidest);
    return {name,         kN, kM, 0, V::kLanes, kVectors, 4, nullptr, &int8_many_tokens<V, kM, kN, kVectors>, &int8_few_tokens<V, kM, kN>,
            &kQuantise<V>};
  }
}

}  // namespace
}  // namespace sk

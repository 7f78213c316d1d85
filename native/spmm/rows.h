// What an ISA file instantiates: the moves that its kernels share, and a row of kernels.def.
#pragma once

#include "band_tokens.h"
#include "csr_tokens.h"
#include "few_tokens.h"
#include "finish.h"
#include "int4_groups.h"
#include "int4_tokens.h"
#include "many_tokens.h"
#include "panel.h"

namespace sk {
namespace {

template <class V>
constexpr SpmmMoves kMoves = {{&pack_panel<V, float>, &pack_panel<V, Half>, &pack_panel<V, BHalf>},
                              {&widen_rows<V, float>, &widen_rows<V, Half>, &widen_rows<V, BHalf>},
                              {&finish_many<V, float>, &finish_many<V, Half>, &finish_many<V, BHalf>},
                              {&finish_few<V, float>, &finish_few<V, Half>, &finish_few<V, BHalf>}};

template <class T>
constexpr bool is_int4 = false;
template <>
constexpr bool is_int4<Int4> = true;

template <class V, class T, int kN, int kM, int kWidest>
constexpr SpmmKernel spmm_kernel(const char* name) {
  if constexpr (is_int4<T> && kM == 0)
    return {name, 0, 0, 0, V::kLanes, 1, 4, &kMoves<V>, nullptr, &int4_groups<V>, nullptr};
  else if constexpr (is_int4<T>)
    return {name, kN, kM, 0, V::kLanes, kWidest, 4, &kMoves<V>, &int4_many_tokens<V, kWidest>, &int4_few_tokens<V>, nullptr};
  else if constexpr (kM == 1)  // bands of kN rows
    return {name, 0, 0, kN, V::kLanes, kTileWidth<V>, 4, &kMoves<V>, &band_many<V, T>, &band_few<V, T>, nullptr};
  else if constexpr (kM == 0)
    return {name, 0, 0, 0, V::kLanes, kWidest, 0, &kMoves<V>, &csr_tokens<V, T, kWidest>, nullptr, nullptr};
  else {
    constexpr int kVectors = widest_panel(kN, kM, kWidest);
    return {name, kN, kM, 0, V::kLanes, kVectors, 4, &kMoves<V>, &many_tokens<V, T, kM, kN, kVectors>, &few_tokens<V, T, kM, kN>, nullptr};
  }
}

}  // namespace
}  // namespace sk

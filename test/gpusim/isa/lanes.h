// Handlers from functions of one lane. The loops have no branches, so that the compiler makes vectors of them; lanes that are not active
// compute too, and are not written.
#pragma once
#include <cstdint>
#include <tuple>
#include <utility>

#include "../exec/warp.h"

namespace gpusim {

template <class F, class D, class... S, size_t... I>
inline void map_lanes(Warp& w, const Inst& in, Mask active, std::index_sequence<I...>) {
  alignas(64) Slot<D> out[kLanes];
  const std::tuple<const Slot<S>*...> sources(w.src<S>(in.refs[1 + I])...);
  for (int lane = 0; lane < kLanes; ++lane) out[lane] = to_slot<D>(F()(from_slot<S>(std::get<I>(sources)[lane])...));
  w.commit(in.refs[0], out, active);
}

// F()(S...) -> D, refs: destination, sources.
template <class F, class D, class... S>
void run_lanes(Warp& w, const Inst& in, Mask active) {
  map_lanes<F, D, S...>(w, in, active, std::index_sequence_for<S...>());
}

// The same with the instruction as first argument, for modifiers.
template <class F, class D, class... S, size_t... I>
inline void map_lanes_with(Warp& w, const Inst& in, Mask active, std::index_sequence<I...>) {
  alignas(64) Slot<D> out[kLanes];
  const std::tuple<const Slot<S>*...> sources(w.src<S>(in.refs[1 + I])...);
  for (int lane = 0; lane < kLanes; ++lane) out[lane] = to_slot<D>(F()(in, from_slot<S>(std::get<I>(sources)[lane])...));
  w.commit(in.refs[0], out, active);
}

template <class F, class D, class... S>
void run_lanes_with(Warp& w, const Inst& in, Mask active) {
  map_lanes_with<F, D, S...>(w, in, active, std::index_sequence_for<S...>());
}

template <template <class> class F, class T>
Handler unary() {
  return run_lanes<F<T>, T, T>;
}
template <template <class> class F, class T>
Handler binary() {
  return run_lanes<F<T>, T, T, T>;
}
template <template <class> class F, class T>
Handler ternary() {
  return run_lanes<F<T>, T, T, T, T>;
}

// Calls make(T()) for the C++ type of an integer or untyped PTX type; null for the others.
template <class Make>
Handler with_integer(Type type, Make make) {
  switch (type) {
    case Type::kU8:
    case Type::kB8: return make(uint8_t());
    case Type::kS8: return make(int8_t());
    case Type::kU16:
    case Type::kB16: return make(uint16_t());
    case Type::kS16: return make(int16_t());
    case Type::kU32:
    case Type::kB32: return make(uint32_t());
    case Type::kS32: return make(int32_t());
    case Type::kU64:
    case Type::kB64: return make(uint64_t());
    case Type::kS64: return make(int64_t());
    default: return nullptr;
  }
}

inline uint32_t pack_mask(const uint8_t* lanes) {  // a bit for each byte that is not 0
  uint32_t mask = 0;
  for (int i = 0; i < kLanes; i += 8) {
    uint64_t eight;
    __builtin_memcpy(&eight, lanes + i, 8);
    mask |= static_cast<uint32_t>((eight & 0x0101010101010101u) * 0x0102040810204080u >> 56) << i;
  }
  return mask;
}

}  // namespace gpusim
